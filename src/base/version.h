/*
 * The version of the program, as shown by `deploy version`.
 */
#ifndef VERSION_H
#define VERSION_H

#define DEPLOY_VERSION "0.1.0"

#endif
