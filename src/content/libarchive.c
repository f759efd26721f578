#include "content/libarchive.h"

LIBRARY_DOOR(libarchive, la, LIBARCHIVE_FUNCTIONS,
    "archives and packs need libarchive", "libarchive.so.13", "libarchive13")
