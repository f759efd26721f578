/*
 * The JSON Schema of deploy.yml (draft 7, as editors read it), made of
 * config_table.h and config_words.h.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include "base/json.h"

/* The caller frees it. */
json_t *config_schema(void);

#endif
