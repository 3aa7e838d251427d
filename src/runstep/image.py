"""`tf.image`: images (source: tf.compat.v1.image)."""

from runstep.ops.image_colors import (
    adjust_brightness as adjust_brightness,
)
from runstep.ops.image_colors import (
    adjust_contrast as adjust_contrast,
)
from runstep.ops.image_colors import (
    adjust_gamma as adjust_gamma,
)
from runstep.ops.image_colors import (
    adjust_hue as adjust_hue,
)
from runstep.ops.image_colors import (
    adjust_saturation as adjust_saturation,
)
from runstep.ops.image_colors import (
    combined_non_max_suppression as combined_non_max_suppression,
)
from runstep.ops.image_colors import (
    convert_image_dtype as convert_image_dtype,
)
from runstep.ops.image_colors import (
    crop_and_resize as crop_and_resize,
)
from runstep.ops.image_colors import (
    draw_bounding_boxes as draw_bounding_boxes,
)
from runstep.ops.image_colors import (
    grayscale_to_rgb as grayscale_to_rgb,
)
from runstep.ops.image_colors import (
    hsv_to_rgb as hsv_to_rgb,
)
from runstep.ops.image_colors import (
    non_max_suppression as non_max_suppression,
)
from runstep.ops.image_colors import (
    non_max_suppression_overlaps as non_max_suppression_overlaps,
)
from runstep.ops.image_colors import (
    non_max_suppression_with_scores as non_max_suppression_with_scores,
)
from runstep.ops.image_colors import (
    rgb_to_grayscale as rgb_to_grayscale,
)
from runstep.ops.image_colors import (
    rgb_to_hsv as rgb_to_hsv,
)
from runstep.ops.image_colors import (
    rgb_to_yiq as rgb_to_yiq,
)
from runstep.ops.image_colors import (
    rgb_to_yuv as rgb_to_yuv,
)
from runstep.ops.image_colors import (
    total_variation as total_variation,
)
from runstep.ops.image_colors import (
    yiq_to_rgb as yiq_to_rgb,
)
from runstep.ops.image_colors import (
    yuv_to_rgb as yuv_to_rgb,
)
from runstep.ops.image_transforms import (
    ResizeMethod as ResizeMethod,
)
from runstep.ops.image_transforms import (
    central_crop as central_crop,
)
from runstep.ops.image_transforms import (
    crop_to_bounding_box as crop_to_bounding_box,
)
from runstep.ops.image_transforms import (
    flip_left_right as flip_left_right,
)
from runstep.ops.image_transforms import (
    flip_up_down as flip_up_down,
)
from runstep.ops.image_transforms import (
    pad_to_bounding_box as pad_to_bounding_box,
)
from runstep.ops.image_transforms import (
    per_image_standardization as per_image_standardization,
)
from runstep.ops.image_transforms import (
    resize as resize,
)
from runstep.ops.image_transforms import (
    resize_area as resize_area,
)
from runstep.ops.image_transforms import (
    resize_bicubic as resize_bicubic,
)
from runstep.ops.image_transforms import (
    resize_bilinear as resize_bilinear,
)
from runstep.ops.image_transforms import (
    resize_image_with_crop_or_pad as resize_image_with_crop_or_pad,
)
from runstep.ops.image_transforms import (
    resize_image_with_pad as resize_image_with_pad,
)
from runstep.ops.image_transforms import (
    resize_images as resize_images,
)
from runstep.ops.image_transforms import (
    resize_nearest_neighbor as resize_nearest_neighbor,
)
from runstep.ops.image_transforms import (
    resize_with_crop_or_pad as resize_with_crop_or_pad,
)
from runstep.ops.image_transforms import (
    rot90 as rot90,
)
from runstep.ops.image_transforms import (
    transpose_image as transpose_image,
)
from runstep.ops.nn_pooling import (
    extract_image_patches as extract_image_patches,
)
from runstep.ops.random import (
    random_crop as random_crop,
)
