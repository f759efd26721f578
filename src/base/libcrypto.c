#include "base/libcrypto.h"

LIBRARY_DOOR(libcrypto, lc, LIBCRYPTO_FUNCTIONS, "hashing needs libcrypto",
    "libcrypto.so.3", "libssl3")
