"""`tf.image`: images (source: tf.compat.v1.image)."""

from runstep.ops.image_colors import (
    adjust_brightness as adjust_brightness,
    adjust_contrast as adjust_contrast,
    adjust_gamma as adjust_gamma,
    adjust_hue as adjust_hue,
    adjust_saturation as adjust_saturation,
    combined_non_max_suppression as combined_non_max_suppression,
    convert_image_dtype as convert_image_dtype,
    crop_and_resize as crop_and_resize,
    draw_bounding_boxes as draw_bounding_boxes,
    grayscale_to_rgb as grayscale_to_rgb,
    hsv_to_rgb as hsv_to_rgb,
    non_max_suppression as non_max_suppression,
    non_max_suppression_overlaps as non_max_suppression_overlaps,
    non_max_suppression_with_scores as non_max_suppression_with_scores,
    rgb_to_grayscale as rgb_to_grayscale,
    rgb_to_hsv as rgb_to_hsv,
    rgb_to_yiq as rgb_to_yiq,
    rgb_to_yuv as rgb_to_yuv,
    total_variation as total_variation,
    yiq_to_rgb as yiq_to_rgb,
    yuv_to_rgb as yuv_to_rgb,
)
from runstep.ops.image_transforms import (
    ResizeMethod as ResizeMethod,
    central_crop as central_crop,
    crop_to_bounding_box as crop_to_bounding_box,
    flip_left_right as flip_left_right,
    flip_up_down as flip_up_down,
    pad_to_bounding_box as pad_to_bounding_box,
    per_image_standardization as per_image_standardization,
    resize_area as resize_area,
    resize_bicubic as resize_bicubic,
    resize_bilinear as resize_bilinear,
    resize_image_with_crop_or_pad as resize_image_with_crop_or_pad,
    resize_image_with_crop_or_pad as resize_with_crop_or_pad,
    resize_image_with_pad as resize_image_with_pad,
    resize_images as resize,
    resize_images as resize_images,
    resize_nearest_neighbor as resize_nearest_neighbor,
    rot90 as rot90,
)
from runstep.ops.nn_pooling import (
    extract_image_patches as extract_image_patches,
    extract_image_patches as extract_patches,
)
from runstep.ops.random import (
    random_crop as random_crop,
)
from runstep.ops.rearranging import (
    transpose as transpose_image,
)
