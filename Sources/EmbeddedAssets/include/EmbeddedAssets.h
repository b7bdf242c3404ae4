#ifndef TINYALIGN_EMBEDDED_ASSETS_H
#define TINYALIGN_EMBEDDED_ASSETS_H

#include <stddef.h>

/// A file that is part of the program.
typedef struct {
  /// Its path, such as "tinystories/config.json".
  const char *_Nonnull path;
  /// Its content, in read-only memory.
  const unsigned char *_Nonnull bytes;
  /// Bytes of content.
  size_t count;
} tinyalign_asset;

/// The file with an index below tinyalign_asset_count(), else NULL.
const tinyalign_asset *_Nullable tinyalign_asset_at(size_t index);

/// How many files there are.
size_t tinyalign_asset_count(void);

#endif
