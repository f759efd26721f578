#include "ssh/ssh_certificate.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "unit.h"

/*
 * Certificates of Ed25519 keys for the hosts www1 and www2.example.org, from
 * 2020 to 2030, by authorities with keys of three kinds.
 */
static const char by_ed25519[] =
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIJYir++k"
    "qrhBHlbu7VuIvH65eKID0HIa0mfL0j4tDfb+AAAAIEHGGRDNxvOWdPfKZYJe"
    "xLw4RAm49HigB1sw75/N953IAAAAAAAAAAAAAAACAAAABGhvc3QAAAAoAAAA"
    "EHd3dzEuZXhhbXBsZS5vcmcAAAAQd3d3Mi5leGFtcGxlLm9yZwAAAABeC+EA"
    "AAAAAHDb2IAAAAAAAAAAAAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIAEa"
    "OyB4KdnijDyVsCOgiBiVWq4WIhFuWf4RJsRPsXekAAAAUwAAAAtzc2gtZWQy"
    "NTUxOQAAAEDalWzzdi6hxMeXVOHbuTbvlu3smHh8Ck8fmtzRlgfwr6s5GXTE"
    "Q+oWNUNbMtpwqQXdjDmxeK72BWF8RyTC5g8E";

static const char by_rsa[] =
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIIzCreJF"
    "J83ygfagvmzFEIsJ/bcL2+JWavTSZDwWThr3AAAAIAVWcpom+KoHCukSI973"
    "MsVze1f/N4Y1VLgbVdO3AhHNAAAAAAAAAAAAAAACAAAABGhvc3QAAAAoAAAA"
    "EHd3dzEuZXhhbXBsZS5vcmcAAAAQd3d3Mi5leGFtcGxlLm9yZwAAAABeC+EA"
    "AAAAAHDb2IAAAAAAAAAAAAAAAAAAAAEXAAAAB3NzaC1yc2EAAAADAQABAAAB"
    "AQChorUCSO0w5xSGXdfhZtEafPXw2uQmFNTOBX6x18qenQ90B/wNH7QQj/oF"
    "Zg+NAypnB5z+11VZGdN4+vDJfjsJqMvUDLCgfX5/5Pf0oHuIwmALV8ubWFUy"
    "ZPcsP5iDtdi7/azOccmKKYKvq2hJzKInWRVcdSv8ilqKimJgGwz00G6Sokd4"
    "hytEcxJ20nr+ZkOTlP1KECw/ph0GYZG4F/cGZj+/Oju7bCjlpLobeRlBLJgA"
    "3CeSdsvH/qraRoEJbjS44cGBZk5LTkxuGEJ45KTuN2LCP5J/5kpEBNgFaeJZ"
    "uIRM85SRqvDyBqOTTJbE1ayaLWPXZeTZumcAPAf/V2FVAAABFAAAAAxyc2Et"
    "c2hhMi01MTIAAAEAEiskgYPHnAj76fxXCFpGySQZUUouX3i1mqOkeZt2mqAX"
    "va43D/LswBziB4snoQKXYHkP+um+Z6QZhYIbKJagufGuAr2IoOVAeTRd7Lg0"
    "L3QbjSDpDNKjwCgb8sQoBa8YleNYxxeqdnSeVxKFb84U2ftdhVFNJkPujFjU"
    "qfCFqHfuiz44q3uNt+R3RDCkL7TgSGqyPX/7lCRQBdV1hyparKFsMz4I/AlS"
    "zLpvikAoRTbYVJYwHnTWWuRkwurm41xPoOo3wcYcUy0gHHCPYGu6DE6hdHMH"
    "KEZ3KAvUWcPJ9WNWCyg1ldIcUjBYfj5JNTGkV2F6LVCOPuyt0Vx6zfjCqg==";

static const char by_ecdsa[] =
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIDUt4BPu"
    "gszrY8iCsIgSgXrXhv5+BDRVe0hpY+MMVR7jAAAAIGH1OINnF+5k+7d2Mjnf"
    "xtIR1z6eKvTcJIBXgVL9ZvBCAAAAAAAAAAAAAAACAAAABGhvc3QAAAAoAAAA"
    "EHd3dzEuZXhhbXBsZS5vcmcAAAAQd3d3Mi5leGFtcGxlLm9yZwAAAABeC+EA"
    "AAAAAHDb2IAAAAAAAAAAAAAAAAAAAACIAAAAE2VjZHNhLXNoYTItbmlzdHAz"
    "ODQAAAAIbmlzdHAzODQAAABhBDMbedapQ9uwhqgq4lBqnvrs8A5WlARQp7vm"
    "/TLdt8smWGWS0LrLgpJVIXPVq5Ozc+GpBMc2y5QMUa4Idna/Rs+EyRIWK4u4"
    "G/Kam3mMzA5F5vnGGWKfj6RWK85Zco/c6gAAAIQAAAATZWNkc2Etc2hhMi1u"
    "aXN0cDM4NAAAAGkAAAAxAPYtYzJPv5exauh0i7Yezv9iuxbbchzQ9ro4BoZw"
    "xWW09IuWDTFmeEF1htdIMCUG3gAAADANXdsvSzA0nCUYDGrebVn3mwumwGtL"
    "vRo9Q0AZWnpklMalW0v1XdepeU0Di+BxSes=";

static const char *const all[] = { by_ed25519, by_rsa, by_ecdsa };

enum { N = sizeof(all) / sizeof(all[0]) };

/* Seconds since 1970, in ms. */
#define YEAR_2020 INT64_C(1577836800000)
#define YEAR_2030 INT64_C(1893456000000)

static void
test_parse(void)
{
	for (size_t i = 0; i < N; i++) {
		struct ssh_certificate c = SSH_CERTIFICATE_INIT;

		REQUIRE(ssh_certificate_parse(&c, all[i]));
		CHECK_STR(c.type, "ssh-ed25519");
		CHECK(c.kind == SSH_CERTIFICATE_HOST);
		CHECK(c.after == YEAR_2020 / 1000);
		CHECK(c.before == YEAR_2030 / 1000);
		CHECK(c.principals.n == 2);
		CHECK_STR(c.principals.v[1], "www2.example.org");
		CHECK(!c.critical);
		CHECK(c.key.len == 4 + 11 + 4 + 32);
		CHECK(ssh_certificate_is_signed(&c));
		ssh_certificate_release(&c);
	}
}

static void
test_check_host(void)
{
	static const struct {
		const char *name;
		int64_t now;
		const char *fault; /* NULL: it is good */
	} cases[] = {
		{ "www1.example.org", YEAR_2020, NULL },
		{ "www2.example.org", YEAR_2030 - 1, NULL },
		{ "www1.example.org", YEAR_2030, "has expired" },
		{ "www1.example.org", YEAR_2020 - 1000,
		    "is not valid before" },
		{ "www1.example.org", -1, "is not valid before" },
		{ "www3.example.org", YEAR_2020, "is not for 'www3" },
		{ "www1.example.or", YEAR_2020, "is not for" },
		{ "", YEAR_2020, "is not for" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ssh_certificate c = SSH_CERTIFICATE_INIT;
		struct err e = ERR_INIT;

		REQUIRE(ssh_certificate_parse(&c, by_ed25519));
		CHECK(
		    (ssh_certificate_check_host(&c, cases[i].name,
			 cases[i].now, &e) == 0) == (cases[i].fault == NULL));
		if (cases[i].fault != NULL)
			CHECK(strstr(e.text, cases[i].fault) == e.text);
		ssh_certificate_release(&c);
	}
}

static void
test_is_for_hosts_only(void)
{
	struct ssh_certificate c = SSH_CERTIFICATE_INIT;
	struct err e = ERR_INIT;

	REQUIRE(ssh_certificate_parse(&c, by_ed25519));
	CHECK(ssh_certificate_check(&c, SSH_CERTIFICATE_USER, YEAR_2020, &e) !=
	    0);
	CHECK_STR(e.text, "is for a host, not for a user");
	ssh_certificate_release(&c);
}

/* No bit of what is signed, or of the signature, can be another. */
static void
test_every_bit_counts(void)
{
	for (size_t i = 0; i < N; i++) {
		struct buf blob = BUF_INIT;

		REQUIRE(base64_decode(all[i], &blob));
		for (size_t at = 0; at < blob.len; at++) {
			struct ssh_certificate c = SSH_CERTIFICATE_INIT;
			struct buf text = BUF_INIT;

			blob.data[at] = (char)(blob.data[at] ^ 1 << at % 8);
			base64_encode(blob.data, blob.len, &text);
			if (ssh_certificate_parse(&c, buf_str(&text)) &&
			    ssh_certificate_is_signed(&c))
				CHECK_STR("a changed bit", "");
			blob.data[at] = (char)(blob.data[at] ^ 1 << at % 8);
			ssh_certificate_release(&c);
			buf_release(&text);
		}
		buf_release(&blob);
	}
}

/* Nor is one that is cut short, or has something behind it. */
static void
test_every_length(void)
{
	struct buf blob = BUF_INIT;

	REQUIRE(base64_decode(by_rsa, &blob));
	buf_addc(&blob, '\0');
	for (size_t n = 0; n <= blob.len; n++) {
		struct ssh_certificate c = SSH_CERTIFICATE_INIT;
		struct buf text = BUF_INIT;

		base64_encode(blob.data, n, &text);
		CHECK(ssh_certificate_parse(&c, buf_str(&text)) ==
		    (n == blob.len - 1));
		ssh_certificate_release(&c);
		buf_release(&text);
	}
	buf_release(&blob);
}

UNIT_MAIN(UNIT(test_parse), UNIT(test_check_host),
    UNIT(test_is_for_hosts_only), UNIT(test_every_bit_counts),
    UNIT(test_every_length))
