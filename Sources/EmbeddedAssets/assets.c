// Files that are part of the program, so that it is one file which can be moved anywhere.
// #embed is C23; clang has it as an extension in older modes too.
#include "EmbeddedAssets.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char default_recipe[] = {
#embed "recipes/default.yaml"
};
static const unsigned char tinycatstories_recipe[] = {
#embed "recipes/tinycatstories.yaml"
};

#define ASSET(path, bytes) {path, bytes, sizeof bytes}

static const tinyalign_asset assets[] = {
    ASSET("recipes/default.yaml", default_recipe),
    ASSET("recipes/tinycatstories.yaml", tinycatstories_recipe),
};

size_t tinyalign_asset_count(void) { return sizeof assets / sizeof assets[0]; }

const tinyalign_asset *tinyalign_asset_at(size_t index) {
  return index < tinyalign_asset_count() ? &assets[index] : NULL;
}
