# How long `deploy list` takes: each line is many runs of it.
BEGIN { FS = "\t" }
$2 == "list" { keep($4) }
END {
	printf "\ndeploy list of %d releases: %.2f ms, CPU %.2f ms, %.1f MB;" \
	    " starting any program (true): %.2f ms\n", releases, \
	    middle(wall, "deploy list") * 1000 / times, \
	    middle(cpu, "deploy list") * 1000 / times, \
	    middle(peak, "deploy list"), middle(wall, "true") * 1000 / times
}
