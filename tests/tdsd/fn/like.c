/*
 * A matcher that goes back only to the last %: linear in practice, never
 * worse than text times pattern.
 */
#include "fn/like.h"

#include "value/utf.h"

struct pattern {
	const struct collation *c;
	const char *p;
	size_t n;
	uint32_t escape;
};

/*
 * Does one element of the pattern at *pos match the character? Moves *pos
 * behind the element.
 */
static bool element(const struct pattern *p, size_t *pos, uint32_t ch)
{
	uint32_t pc = utf_next(p->p, p->n, pos);
	bool negated = false, hit = false;
	size_t start = *pos;

	if (p->escape && pc == p->escape && *pos < p->n)
		return collation_same_char(p->c, utf_next(p->p, p->n, pos), ch);
	if (pc == '_')
		return true;
	if (pc != '[')
		return collation_same_char(p->c, pc, ch);
	if (*pos < p->n && p->p[*pos] == '^') {
		negated = true;
		++*pos;
	}
	while (*pos < p->n && p->p[*pos] != ']') {
		uint32_t low = utf_next(p->p, p->n, pos);

		if (p->escape && low == p->escape && *pos < p->n)
			low = utf_next(p->p, p->n, pos);
		if (*pos + 1 < p->n && p->p[*pos] == '-' &&
		    p->p[*pos + 1] != ']') {
			uint32_t high;

			++*pos;
			high = utf_next(p->p, p->n, pos);
			if (collation_order_char(p->c, ch, low) >= 0 &&
			    collation_order_char(p->c, ch, high) <= 0)
				hit = true;
		} else if (collation_same_char(p->c, low, ch)) {
			hit = true;
		}
	}
	if (*pos >= p->n) { /* no "]": the set matches nothing */
		*pos = p->n > start ? p->n : start;
		return false;
	}
	++*pos;
	return hit != negated;
}

static bool only_blanks(const char *s, size_t n)
{
	while (n && s[n - 1] == ' ')
		n--;
	return !n;
}

bool like_match(const struct collation *c, const char *s, size_t n,
		const char *pattern, size_t plen, uint32_t escape, bool rtrim)
{
	struct pattern p = {c, pattern, plen, escape};
	size_t i = 0, j = 0, star_i = 0, star_j = 0;
	bool star = false;

	for (;;) {
		if (j < plen && pattern[j] == '%' && escape != '%') {
			star = true;
			star_j = ++j;
			star_i = i;
			continue;
		}
		if (i < n && j < plen) {
			size_t ni = i, nj = j;
			uint32_t ch = utf_next(s, n, &ni);

			if (element(&p, &nj, ch)) {
				i = ni;
				j = nj;
				continue;
			}
		} else if (j >= plen &&
			   (i >= n || (rtrim && only_blanks(s + i, n - i)))) {
			return true;
		}
		if (!star || star_i >= n)
			return false;
		utf_next(s, n, &star_i);
		i = star_i;
		j = star_j;
	}
}

int64_t like_index(const struct collation *c, const char *pattern, size_t plen,
		   const char *s, size_t n)
{
	bool open = plen && pattern[0] == '%';
	size_t i = 0;
	int64_t units = 1;

	if (open) {
		pattern++;
		plen--;
	}
	for (;;) {
		size_t next = i;

		if (like_match(c, s + i, n - i, pattern, plen, 0, true))
			return units;
		if (!open || i >= n)
			return 0;
		units += utf_next(s, n, &next) >= 0x10000 ? 2 : 1;
		i = next;
	}
}
