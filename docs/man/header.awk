# SPDX-License-Identifier: GPL-2.0-only
#
# Converts the comments and declarations of a header to roff:
#
#	awk -f docs/man/header.awk [-v skip=N] HEADER
#
# So a manual page and its header cannot disagree. Understands what our headers use:
# kernel-doc comments (names, @members, paragraphs, "Return:", code indented by a tab,
# a table between lines of "="), block comments at the left margin, and the functions
# and constants that follow them. skip: block comments to leave out at the beginning.

function roff(s) {
	gsub(/\\/, "\\e", s)
	gsub(/-/, "\\-", s)
	gsub(/&struct /, "struct ", s)
	return s
}

# Text with @names in italics and function names and constants in bold.
function text(s,   out, word) {
	out = ""
	while (match(s, /\*[a-z]+\*/))
		s = substr(s, 1, RSTART - 1) substr(s, RSTART + 1, RLENGTH - 2) substr(s, RSTART + RLENGTH)
	while (match(s, /@[A-Za-z_][A-Za-z_0-9]*|[A-Za-z_][A-Za-z_0-9]*\(\)|WEIR_[A-Z0-9_]+/)) {
		word = substr(s, RSTART, RLENGTH)
		out = out roff(substr(s, 1, RSTART - 1))
		if (word ~ /^@/)
			out = out "\\fI" roff(substr(word, 2)) "\\fR"
		else if (word ~ /\(\)$/)
			out = out "\\fB" roff(substr(word, 1, length(word) - 2)) "\\fR()"
		else
			out = out "\\fB" roff(word) "\\fR"
		s = substr(s, RSTART + RLENGTH)
	}
	out = out roff(s)
	if (out ~ /^[.']/)
		out = "\\\&" out
	return out
}

# A summary as a sentence.
function sentence(s) {
	if (s ~ /^[a-z]+[ ,]/)
		s = toupper(substr(s, 1, 1)) substr(s, 2)
	return s ~ /[.)]$/ ? s : s "."
}

function code_end() {
	if (in_code)
		print ".EE\n.RE"
	in_code = 0
}

# The lines of a comment from number @from on.
function body(from,   i, l, fresh) {
	fresh = 1
	in_code = in_table = 0
	for (i = from; i <= n; i++) {
		l = line[i]
		if (l ~ /^=====/) {
			in_table = !in_table
			fresh = 1
		} else if (in_table && l ~ /^[A-Z0-9]+  */) {
			match(l, /^[A-Z0-9]+ +/)
			print ".TP\n.B " substr(l, 1, index(l, " ") - 1)
			print text(substr(l, RLENGTH + 1))
		} else if (l == "") {
			code_end()
			fresh = 1
		} else if (l ~ /^DOC: /) {
			code_end()
			print ".SS " roff(substr(l, 6))
		} else if (l ~ /^@[A-Za-z_]+:/) {
			code_end()
			print ".TP\n.I " roff(substr(l, 2, index(l, ":") - 2))
			sub(/^@[A-Za-z_]+:[ \t]*/, "", l)
			print text(l)
			fresh = 0
		} else if (l ~ /^\t/ && fresh && !in_table) {
			if (!in_code)
				print ".PP\n.RS 4\n.EX"
			in_code = 1
			sub(/^\t/, "", l)
			print roff(l)
		} else if (in_code && l ~ /^\t/) {
			sub(/^\t/, "", l)
			print roff(l)
		} else {
			code_end()
			sub(/^[ \t]+/, "", l)
			if (fresh && !in_table)
				print ".PP"
			print text(l)
			fresh = 0
		}
	}
	code_end()
}

function heading(s) {
	print ".SH " toupper(roff(s))
}

# A whole comment; what it belongs to follows.
function comment(   first, title) {
	first = line[1]
	if (first == "" && n > 1) {
		for (i = 1; i < n; i++)
			line[i] = line[i + 1]
		n--
		first = line[1]
	}
	title = ""
	if (!doc) {
		if (++seen <= skip)
			return
		if (first ~ /^-----/) {
			heading(line[2])
			body(3)
		} else {
			body(1)
		}
		return
	}
	if (first ~ /^DOC: /) {
		print ".SS " roff(substr(first, 6))
		body(2)
		return
	}
	if (match(first, / - /)) {
		title = substr(first, 1, RSTART - 1)
		first = substr(first, RSTART + 3)
	} else if (match(first, /: /)) {
		title = substr(first, 1, RSTART - 1)
		first = substr(first, RSTART + 2)
	}
	print ".SS " roff(title)
	pending = text(sentence(first))
	wait = title ~ /\(\)$/
	if (!wait)
		flush()
}

function flush() {
	print pending
	body(2)
}

in_comment {
	l = $0
	end = l ~ /\*\//
	sub(/[ \t]*\*\/.*/, "", l)
	sub(/^ \* ?/, "", l)
	sub(/^ \*$/, "", l)
	sub(/^ /, "", l)
	if (!end || l != "")
		line[++n] = l
	if (end) {
		in_comment = 0
		comment()
	}
	next
}

/^\/\*/ {
	wait = 0
	doc = /^\/\*\*/
	l = $0
	sub(/^\/\*\*?[ \t]*/, "", l)
	n = 0
	if (l ~ /\*\//) {
		sub(/[ \t]*\*\/.*/, "", l)
		line[++n] = l
		if (doc)
			comment()
		next
	}
	if (l != "")
		line[++n] = l
	in_comment = 1
	next
}

# The prototype of a function comes before its description.
wait {
	if (!declaring)
		print ".nf"
	declaring = 1
	l = $0
	gsub(/\t/, "    ", l)
	print "\\fB" roff(l) "\\fR"
	if (l ~ /;$/) {
		print ".fi"
		print ".PP"
		declaring = wait = 0
		flush()
	}
	next
}
