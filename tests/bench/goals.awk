# The goals that the design names (section 12), and what came out.
BEGIN { FS = "\t" }
{
	keep($1 SUBSEP $2 SUBSEP $3 SUBSEP $4)
	if (!(($1, $2, $3) in seen)) {
		seen[$1, $2, $3] = 1
		site[++n] = $1
		job[n] = $2
		place[n] = $3
	}
}

# One line of the verdict; a limit of 0: no goal, for comparison.
function say(what, where, value, limit, unit) {
	verdict = limit == 0 ? "" : value <= limit ? "reached" : "missed"
	printf "%-48s %-14s %6.2f %6s  %s\n", what, where, value, \
	    limit == 0 ? "" : limit unit, verdict
	if (json != "")
		printf "{\"goal\":\"%s\",\"of\":\"%s\",\"value\":%.3f," \
		    "\"limit\":%s,\"verdict\":\"%s\"}\n", what, where, \
		    value, limit == 0 ? "null" : limit, verdict >>json
}

# The ratio of deploy stage to another program in table i.
function beside(what, i, other,   t) {
	t = site[i] SUBSEP job[i] SUBSEP place[i] SUBSEP
	return ratio(what, t "deploy stage", t other)
}

# The highest memory of deploy in table i.
function memory(i,   key, part, k, max) {
	for (key in rounds) {
		split(key, part, SUBSEP)
		if (part[1] != site[i] || part[2] != job[i] ||
		    part[3] != place[i] || part[4] !~ /^deploy /)
			continue
		for (k = 1; k <= rounds[key]; k++)
			if (peak[key, k] > max)
				max = peak[key, k]
	}
	return max
}

END {
	printf "\n%-48s %-14s %6s %6s\n", "goals", "", "", "goal"
	for (i = 1; i <= n; i++) {
		where = site[i] " " place[i]
		if (job[i] == "unchanged") {
			say("unchanged: CPU / rsync -rlpc --link-dest", where,
			    beside(cpu, i, "rsync -rlpc --link-dest"), 0.6)
			say("unchanged: wall / (cp -al; rsync -rlpc)", where,
			    beside(wall, i, "cp -al; rsync -rlpc"), 1)
		}
		if (job[i] == "first") {
			say("first time: wall / cp -a", where,
			    beside(wall, i, "cp -a"), 1.1)
			say("  the same / (cp -a; sync -f)", where,
			    beside(wall, i, "cp -a; sync -f"), 0)
		}
		if (site[i] == "small")
			say("memory: " job[i] ", MB", where, memory(i), 64)
		if (job[i] == "list")
			say("start-up: list, ms", place[i],
			    middle(wall, site[i] SUBSEP job[i] SUBSEP \
			    place[i] SUBSEP "deploy list") * 1000 / times, 5)
	}
}
