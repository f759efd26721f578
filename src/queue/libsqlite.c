#include "queue/libsqlite.h"

LIBRARY_DOOR(libsqlite, lite, LIBSQLITE_FUNCTIONS,
    "a queue in a file needs SQLite", "libsqlite3.so.0", "libsqlite3-0")
