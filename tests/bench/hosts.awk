# One table over hosts, of lines of
#
#	site, work, program, round, wall, CPU here, bytes sent, bytes back,
#	CPU on the hosts, skew, and of a rollback: requests, wrong, late
#	answers, for how many us
#
# with tabs between; for the site and job that are given.
BEGIN {
	FS = "\t"
	n = split(programs, name, " ")
}
$1 == site && $2 == job {
	if ($4 > rounds[$3])
		rounds[$3] = $4
	wall[$3, $4] = $5
	cpu[$3, $4] = $6
	sent[$3, $4] = $7 / 1e6
	back[$3, $4] = $8 / 1e6
	bytes[$3, $4] = ($7 + $8) / 1e6
	there[$3, $4] = $9
	if ($10 == "-")
		none[$3] = 1
	skew[$3, $4] = $10
	if ($11 != "") {
		seen[$3] += $11
		wrong[$3] += $12
		late[$3] += $13
		some[$3, $4] = $14 / 1000
	}
}
END {
	printf "\n%s\n", what
	printf "%-14s %6s %11s %8s %8s %6s %6s %7s %6s %7s\n", "", "wall", \
	    "min-max", "sent", "back", "client", "hosts", "skew", "x wall", \
	    "x bytes"
	for (i = 1; i <= n; i++) {
		p = name[i]
		low = high = wall[p, 1]
		for (k = 2; k <= rounds[p]; k++) {
			if (wall[p, k] < low)
				low = wall[p, k]
			if (wall[p, k] > high)
				high = wall[p, k]
		}
		printf "%-14s %6.2f %11s %8.3f %8.3f %6.2f %6.2f %7s", p, \
		    middle(wall, p), sprintf("%.2f-%.2f", low, high), \
		    middle(sent, p), middle(back, p), middle(cpu, p), \
		    middle(there, p), none[p] ? "-" : \
		    sprintf("%.1f", middle(skew, p))
		if (p != "deploy" && ("deploy" in rounds))
			printf " %6.2f %7.3f", ratio(wall, "deploy", p), \
			    ratio(bytes, "deploy", p)
		printf "\n"
	}
	for (i = 1; i <= n; i++)
		if ((p = name[i]) in seen)
			printf "%-14s visitors: %d requests, %d wrong, %d late, over %.1f ms\n", \
			    p, seen[p], wrong[p], late[p], middle(some, p)
}
