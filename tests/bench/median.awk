# For the other scripts here, which read lines of
#
#	site, work, fs, program, round, wall, user, sys, peak kB
#
# with tabs between.

# The middle of v[1..n], or of the two in the middle their mean; sorts v.
function median(v, n,   i, k, x) {
	for (i = 2; i <= n; i++) {
		x = v[i]
		for (k = i - 1; k > 0 && v[k] > x; k--)
			v[k + 1] = v[k]
		v[k + 1] = x
	}
	if (n == 0)
		return 0
	return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}

# Keep a line under `key`: what was measured, by round.
function keep(key) {
	if ($5 > rounds[key])
		rounds[key] = $5
	wall[key, $5] = $6
	user[key, $5] = $7
	sys[key, $5] = $8
	cpu[key, $5] = $7 + $8
	peak[key, $5] = $9 / 1024
}

# The median of one of those over the rounds.
function middle(what, key,   i, v) {
	for (i = 1; i <= rounds[key]; i++)
		v[i] = what[key, i]
	return median(v, rounds[key])
}

# The median of a/b, each within a round that both had.
function ratio(what, a, b,   i, v, n) {
	n = rounds[a] < rounds[b] ? rounds[a] : rounds[b]
	for (i = 1; i <= n; i++)
		v[i] = what[a, i] / (what[b, i] > 0 ? what[b, i] : 0.001)
	return median(v, n)
}
