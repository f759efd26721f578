# One table: the lines with the site, job and place that are given.
BEGIN { FS = "\t" }
$1 == site && $2 == job && $3 == place {
	if (!($4 in rounds))
		name[++n] = $4
	keep($4)
}
END {
	printf "\n%s, on %s\n", what, place
	printf "%-23s %2s %6s %11s %6s %6s %5s %6s %5s\n", "", "n", "wall", \
	    "min-max", "user", "sys", "peak", "x wall", "x CPU"
	for (i = 1; i <= n; i++) {
		p = name[i]
		low = high = wall[p, 1]
		for (k = 2; k <= rounds[p]; k++) {
			if (wall[p, k] < low)
				low = wall[p, k]
			if (wall[p, k] > high)
				high = wall[p, k]
		}
		printf "%-23s %2d %6.3f %11s %6.3f %6.3f %5.1f", p, \
		    rounds[p], middle(wall, p), sprintf("%.2f-%.2f", low, \
		    high), middle(user, p), middle(sys, p), middle(peak, p)
		if (i > 1)
			printf " %6.2f %5.2f", ratio(wall, name[1], p), \
			    ratio(cpu, name[1], p)
		printf "\n"
	}
}
