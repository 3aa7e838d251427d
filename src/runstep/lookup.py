"""`tf.lookup`: tables (source: tf.compat.v1.lookup)."""

from runstep.ops.lookup import (
    KeyValueTensorInitializer as KeyValueTensorInitializer,
)
from runstep.ops.lookup import (
    StaticHashTable as StaticHashTable,
)
from runstep.ops.lookup import (
    StaticVocabularyTable as StaticVocabularyTable,
)
from runstep.ops.lookup import (
    TextFileIndex as TextFileIndex,
)
from runstep.ops.lookup import (
    TextFileInitializer as TextFileInitializer,
)
