#include "ssh/libssh.h"

LIBRARY_DOOR(libssh, ls, LIBSSH_FUNCTIONS, "connections need libssh",
    "libssh.so.4", "libssh-4")
