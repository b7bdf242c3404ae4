// Clears what product.h was included with.
#undef VECTOR
#undef VECTORS
#undef ROWS
#undef EACH_ROWS
#undef TARGET
#undef NAME
#undef INTERLEAVE_LOW
#undef INTERLEAVE_HIGH
