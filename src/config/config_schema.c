#include "config/config_schema.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "config/config_table.h"
#include "config/config_words.h"

static json_t *schema_of(const cyaml_schema_value_t *want, const char *key);

static json_t *
of_type(const char *type)
{
	json_t *j = json_new_object();

	json_put_string(j, "type", type);
	return j;
}

/* A string, which may be a number for YAML, as it is for most durations. */
static json_t *
string_schema(const char *key)
{
	static const char *const patterns[] = {
		[KIND_DURATION] = "^[0-9]+[smhdw]?$",
		[KIND_PERCENT] = "^[0-9]{1,3}%?$",
		[KIND_SIZE] = "^[0-9]+[kM]?$",
		[KIND_URL] = NULL,
	};
	const char *pattern = patterns[config_words(key)->kind];
	json_t *j = json_new_object(), *types = json_new_array();

	json_push_string(types, "string");
	json_push_string(types, pattern != NULL ? "integer" : "number");
	if (pattern == NULL)
		json_push_string(types, "boolean");
	json_put(j, "type", types);
	if (pattern != NULL)
		json_put_string(j, "pattern", pattern);
	else
		json_put_int(j, "minLength", 1);
	return j;
}

static json_t *
enum_schema(const cyaml_schema_value_t *want)
{
	json_t *j = json_new_object(), *list = json_new_array();

	for (uint32_t i = 0; i < want->enumeration.count; i++)
		json_push_string(list, want->enumeration.strings[i].str);
	json_put(j, "enum", list);
	return j;
}

/* Either of two forms. */
static json_t *
either(json_t *one, json_t *other)
{
	json_t *j = json_new_object(), *list = json_new_array();

	json_push(list, one);
	json_push(list, other);
	json_put(j, "anyOf", list);
	return j;
}

/* What stands at a key, with what it is about. */
static json_t *
described(const cyaml_schema_value_t *want, const char *key)
{
	const struct config_words *w = config_words(key);
	json_t *j = schema_of(want, key);
	char *text = w->otherwise == NULL ?
	    xstrdup(w->about) :
	    xasprintf("%s Default: %s.", w->about, w->otherwise);

	json_put_string(j, "description", text);
	free(text);
	return j;
}

static json_t *
mapping_schema(const cyaml_schema_field_t *fields, const char *key)
{
	json_t *j = of_type("object"), *all = json_new_object(),
	       *required = json_new_array(), *notes = json_new_object();

	for (; fields->key != NULL; fields++) {
		char *name = xasprintf("%s%s%s", key, *key != '\0' ? "." : "",
		    fields->key);

		json_put(all, fields->key, described(&fields->value, name));
		if ((fields->value.flags & CYAML_FLAG_OPTIONAL) == 0)
			json_push_string(required, fields->key);
		free(name);
	}
	json_put(j, "properties", all);
	json_put(j, "required", required);
	json_put(notes, "^x-", json_new_object());
	json_put(j, "patternProperties", notes);
	json_put_bool(j, "additionalProperties", false);
	return j;
}

/* A mapping, or the one value of it that is enough (yamlcheck.h). */
static json_t *
mapping_or_value(const cyaml_schema_value_t *want, const char *key)
{
	const cyaml_schema_field_t *f = config_table_only_key(want);
	json_t *j = mapping_schema(want->mapping.fields, key);
	char *name;

	if (f == NULL)
		return j;
	name = xasprintf("%s.%s", key, f->key);
	j = either(schema_of(&f->value, name), j);
	free(name);
	return j;
}

static json_t *
list_schema(const cyaml_schema_value_t *want, const char *key)
{
	json_t *j = of_type("array");

	json_put_int(j, "minItems", want->sequence.min);
	json_put(j, "items", schema_of(want->sequence.entry, key));
	/* A single entry may stand for the list. */
	return config_table_may_be_short(want) ?
	    either(schema_of(want->sequence.entry, key), j) :
	    j;
}

static json_t *
schema_of(const cyaml_schema_value_t *want, const char *key)
{
	json_t *j;

	switch (want->type) {
	case CYAML_UINT:
		j = of_type("integer");
		json_put_int(j, "minimum", 0);
		return j;
	case CYAML_BOOL:
		return of_type("boolean");
	case CYAML_ENUM:
		return enum_schema(want);
	case CYAML_MAPPING:
		return mapping_or_value(want, key);
	case CYAML_SEQUENCE:
		return list_schema(want, key);
	case CYAML_IGNORE:
		j = of_type("object");
		json_put(j, "additionalProperties", of_type("string"));
		return j;
	default:
		return string_schema(key);
	}
}

json_t *
config_schema(void)
{
	json_t *j = mapping_schema(config_table.mapping.fields, "");

	json_put_string(j, "$schema",
	    "http://json-schema.org/draft-07/schema#");
	json_put_string(j, "title", "deploy.yml");
	return j;
}
