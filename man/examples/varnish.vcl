# Varnish before the web server of a site of deploy: purge-varnish tells it what
# changed, so that it may keep all for long.
vcl 4.1;

backend default {
	.host = "127.0.0.1";
	.port = "8080";
}

# Who may purge: the machines that deploy runs on.
acl deploy {
	"localhost";
	"192.0.2.0"/24;
}

sub vcl_recv {
	if (req.method == "PURGE") {
		if (client.ip !~ deploy) {
			return (synth(405));
		}
		# In all its forms (Vary).
		return (purge);
	}
}

sub vcl_backend_response {
	# Browsers still ask each time, as the web server's Cache-Control says.
	if (beresp.status == 200) {
		set beresp.ttl = 1w;
	} else {
		set beresp.ttl = 0s;
		set beresp.uncacheable = true;
	}
}
