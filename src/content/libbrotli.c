#include "content/libbrotli.h"

LIBRARY_DOOR(libbrotlienc, be, LIBBROTLI_ENCODER, "brotli needs its library",
    "libbrotlienc.so.1", "libbrotli1")
LIBRARY_DOOR(libbrotlidec, bd, LIBBROTLI_DECODER, "brotli needs its library",
    "libbrotlidec.so.1", "libbrotli1")
