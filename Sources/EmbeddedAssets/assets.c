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
static const unsigned char tinystories_configuration[] = {
#embed "tinystories/config.json"
};
static const unsigned char tinystories_tokenizer[] = {
#embed "tinystories/tokenizer.json"
};
static const unsigned char tinystories_tokenizer_configuration[] = {
#embed "tinystories/tokenizer_config.json"
};
static const unsigned char tinystories_weights[] = {
#embed "tinystories/model.safetensors"
};

static const unsigned char page_theme_css[] = {
#embed "page/theme.css"
};
static const unsigned char page_report_css[] = {
#embed "page/report.css"
};
static const unsigned char page_pictures_css[] = {
#embed "page/pictures.css"
};
static const unsigned char page_page_css[] = {
#embed "page/page.css"
};
static const unsigned char page_page_html[] = {
#embed "page/page.html"
};
static const unsigned char page_charts_js[] = {
#embed "page/charts-view.js"
    ,
#embed "page/charts-draw.js"
    ,
#embed "page/charts.js"
    ,
#embed "page/charts-tools.js"
};
static const unsigned char page_tree_js[] = {
#embed "page/tree-parts.js"
    ,
#embed "page/tree.js"
};
static const unsigned char page_recipe_js[] = {
#embed "page/recipe.js"
};
static const unsigned char page_heatmap_js[] = {
#embed "page/heatmap.js"
};
// The live page's script is written in parts, one purpose each, that follow each other in one file.
static const unsigned char page_page_js[] = {
#embed "page/page.js"
    ,
#embed "page/page-runs.js"
    ,
#embed "page/page-curves.js"
    ,
#embed "page/page-stories.js"
    ,
#embed "page/page-change.js"
    ,
#embed "page/page-recipe.js"
    ,
#embed "page/page-live.js"
};

#define ASSET(path, bytes) {path, bytes, sizeof bytes}

static const tinyalign_asset assets[] = {
    ASSET("recipes/default.yaml", default_recipe),
    ASSET("recipes/tinycatstories.yaml", tinycatstories_recipe),
    ASSET("tinystories/config.json", tinystories_configuration),
    ASSET("tinystories/tokenizer.json", tinystories_tokenizer),
    ASSET("tinystories/tokenizer_config.json", tinystories_tokenizer_configuration),
    ASSET("tinystories/model.safetensors", tinystories_weights),
    ASSET("page/theme.css", page_theme_css),
    ASSET("page/report.css", page_report_css),
    ASSET("page/pictures.css", page_pictures_css),
    ASSET("page/page.css", page_page_css),
    ASSET("page/page.html", page_page_html),
    ASSET("page/charts.js", page_charts_js),
    ASSET("page/tree.js", page_tree_js),
    ASSET("page/heatmap.js", page_heatmap_js),
    ASSET("page/recipe.js", page_recipe_js),
    ASSET("page/page.js", page_page_js),
};

size_t tinyalign_asset_count(void) { return sizeof assets / sizeof assets[0]; }

const tinyalign_asset *tinyalign_asset_at(size_t index) {
  return index < tinyalign_asset_count() ? &assets[index] : NULL;
}
