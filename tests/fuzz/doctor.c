/*
 * What a host says to `probe`, from anywhere: nothing in it leads outside, and
 * whatever is made of it can be shown on a terminal.
 */
#include "fleet/doctor.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "host/wire.h"

static void
check_text(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			BUG("a control character");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct doctor_case c = { .root = "/srv/x",
		.version = "1.0",
		.rsync = true,
		.asked = 1000,
		.heard = 2000 };
	char *text = xstrndup((const char *)data, size), *rest = text, *line;
	struct doctor_facts f = DOCTOR_FACTS_INIT;
	struct doctor_report r = DOCTOR_REPORT_INIT;
	struct wire_line l;

	while ((line = strsep(&rest, "\n")) != NULL) {
		wire_split(line, &l);
		doctor_facts_hear(&f, l.key, l.value);
	}
	doctor_judge(&r, &f, &c);
	for (size_t i = 0; i < r.n; i++) {
		check_text(r.v[i].detail);
		if (r.v[i].cure != NULL)
			check_text(r.v[i].cure);
	}
	doctor_report_release(&r);
	doctor_facts_release(&f);
	free(text);
	return 0;
}
