/* SPDX-License-Identifier: Apache-2.0 */
#include "common/demangle.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/demangle_rust.h"

#define TEXT_MAX  1024
#define SUBS_MAX  64
#define DEPTH_MAX 32

struct text {
	char v[TEXT_MAX];
	size_t n;
};

/* What was read so far, and what may be referred to again (S_, S0_, ...): as
 * the text that it became. */
struct reading {
	const char *at;
	struct text sub[SUBS_MAX];
	size_t subs;
	unsigned depth;
	bool bad;
};

static void put(struct reading *r, struct text *to, const char *text, size_t n)
{
	if (to->n + n + 1 > TEXT_MAX) {
		r->bad = true;
		return;
	}
	memcpy(to->v + to->n, text, n);
	to->n += n;
	to->v[to->n] = '\0';
}

static void puts_to(struct reading *r, struct text *to, const char *text)
{
	put(r, to, text, strlen(text));
}

static bool take(struct reading *r, const char *what)
{
	size_t n = strlen(what);

	if (strncmp(r->at, what, n) != 0)
		return false;
	r->at += n;
	return true;
}

static void remember(struct reading *r, const struct text *t)
{
	if (r->subs == SUBS_MAX)
		r->bad = true;
	else
		r->sub[r->subs++] = *t;
}

static void read_type(struct reading *r, struct text *to);

static void read_source_name(struct reading *r, struct text *to)
{
	size_t n = 0;

	while (isdigit((unsigned char)*r->at) && n < TEXT_MAX)
		n = n * 10 + (size_t)(*r->at++ - '0');
	if (n == 0 || strnlen(r->at, n) < n) {
		r->bad = true;
		return;
	}
	if (n >= 10 && strncmp(r->at, "_GLOBAL__N", 10) == 0)
		puts_to(r, to, "(anonymous namespace)");
	else
		put(r, to, r->at, n);
	r->at += n;
	while (!r->bad && take(r, "B")) { /* an ABI tag */
		puts_to(r, to, "[abi:");
		read_source_name(r, to);
		puts_to(r, to, "]");
	}
}

static void read_literal(struct reading *r, struct text *to)
{
	char type = *r->at;

	if (isdigit((unsigned char)type) || type == 'N') { /* of an enum */
		puts_to(r, to, "(");
		read_type(r, to);
		puts_to(r, to, ")");
		if (take(r, "n"))
			puts_to(r, to, "-");
		while (isdigit((unsigned char)*r->at))
			put(r, to, r->at++, 1);
		r->bad |= !take(r, "E");
		return;
	}
	if (!type || !strchr("bijlm", type)) {
		r->bad = true;
		return;
	}
	r->at++;
	if (type == 'b' && (*r->at == '0' || *r->at == '1')) {
		puts_to(r, to, *r->at++ == '1' ? "true" : "false");
	} else {
		if (take(r, "n"))
			puts_to(r, to, "-");
		while (isdigit((unsigned char)*r->at))
			put(r, to, r->at++, 1);
		puts_to(r, to,
			type == 'j'   ? "u"
			: type == 'l' ? "l"
			: type == 'm' ? "ul"
				      : "");
	}
	r->bad |= !take(r, "E");
}

/* Up to its E; a pack (J ... E) is more of the same. */
static void read_list(struct reading *r, struct text *to, bool *first)
{
	if (++r->depth > DEPTH_MAX)
		r->bad = true;
	while (!r->bad && !take(r, "E")) {
		if (take(r, "J")) {
			read_list(r, to, first);
			continue;
		}
		if (!*first)
			puts_to(r, to, ", ");
		*first = false;
		if (take(r, "L"))
			read_literal(r, to);
		else
			read_type(r, to);
	}
	r->depth--;
}

static void read_arguments(struct reading *r, struct text *to)
{
	bool first = true;

	puts_to(r, to, "<");
	read_list(r, to, &first);
	if (to->n && to->v[to->n - 1] == '>')
		puts_to(r, to, " ");
	puts_to(r, to, ">");
}

static void read_substitution(struct reading *r, struct text *to)
{
	size_t i = 0;

	if (take(r, "_")) {
		i = 0;
	} else {
		for (; isdigit((unsigned char)*r->at) ||
		       isupper((unsigned char)*r->at);
		     r->at++)
			i = i * 36 + (size_t)(isdigit((unsigned char)*r->at)
						      ? *r->at - '0'
						      : *r->at - 'A' + 10);
		i++;
		r->bad |= !take(r, "_");
	}
	if (i >= r->subs)
		r->bad = true;
	else
		put(r, to, r->sub[i].v, r->sub[i].n);
}

static const struct {
	const char *mangled, *text;
} abbreviations[] =
	{
		{"Sa", "std::allocator"}, {"Sb", "std::basic_string"},
		{"Ss", "std::string"},	  {"Si", "std::istream"},
		{"So", "std::ostream"},	  {"Sd", "std::iostream"},
},
  builtins[] = {
	  {"v", "void"},
	  {"w", "wchar_t"},
	  {"b", "bool"},
	  {"c", "char"},
	  {"a", "signed char"},
	  {"h", "unsigned char"},
	  {"s", "short"},
	  {"t", "unsigned short"},
	  {"i", "int"},
	  {"j", "unsigned int"},
	  {"l", "long"},
	  {"m", "unsigned long"},
	  {"x", "long long"},
	  {"y", "unsigned long long"},
	  {"f", "float"},
	  {"d", "double"},
	  {"e", "long double"},
	  {"n", "__int128"},
	  {"o", "unsigned __int128"},
};

static bool read_abbreviation(struct reading *r, struct text *to)
{
	for (size_t i = 0; i < sizeof(abbreviations) / sizeof(*abbreviations);
	     i++)
		if (take(r, abbreviations[i].mangled)) {
			puts_to(r, to, abbreviations[i].text);
			return true;
		}
	return false;
}

static const struct {
	const char *mangled, *text;
} operators[] = {
	{"nw", " new"},	     {"na", " new[]"}, {"dl", " delete"},
	{"da", " delete[]"}, {"pl", "+"},      {"mi", "-"},
	{"ml", "*"},	     {"dv", "/"},      {"pL", "+="},
	{"mI", "-="},	     {"aS", "="},      {"eq", "=="},
	{"ne", "!="},	     {"lt", "<"},      {"gt", ">"},
	{"le", "<="},	     {"ge", ">="},     {"ls", "<<"},
	{"rs", ">>"},	     {"pp", "++"},     {"mm", "--"},
	{"cl", "()"},	     {"ix", "[]"},     {"pt", "->"},
	{"de", "*"},	     {"ad", "&"},      {"nt", "!"},
	{"aN", "&="},	     {"oR", "|="},
};

/* "operator+"; false: none of these stands there. */
static bool read_operator(struct reading *r, struct text *to)
{
	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++)
		if (take(r, operators[i].mangled)) {
			puts_to(r, to, "operator");
			puts_to(r, to, operators[i].text);
			return true;
		}
	return false;
}

/* A name that one file alone sees has an L before it. */
static void pass_local(struct reading *r)
{
	if (*r->at == 'L' && isdigit((unsigned char)r->at[1]))
		r->at++;
}

/* Up to the E that ends them. */
static void read_parameters(struct reading *r, struct text *to)
{
	bool first = true;

	puts_to(r, to, "(");
	if (take(r, "v"))
		r->bad |= !take(r, "E");
	else
		read_list(r, to, &first);
	puts_to(r, to, ")");
}

/* "_" for the first, "0_" for the second. */
static void read_ordinal(struct reading *r, struct text *to)
{
	char text[16];
	unsigned n = 1;

	if (isdigit((unsigned char)*r->at)) {
		for (n = 0; isdigit((unsigned char)*r->at) && n < 1000000;)
			n = n * 10 + (unsigned)(*r->at++ - '0');
		n += 2;
	}
	r->bad |= !take(r, "_");
	snprintf(text, sizeof(text), "#%u}", n);
	puts_to(r, to, text);
}

/* What has no name of its own. */
static bool read_unnamed(struct reading *r, struct text *to)
{
	if (take(r, "Ul")) {
		puts_to(r, to, "{lambda");
		read_parameters(r, to);
	} else if (take(r, "Ut")) {
		puts_to(r, to, "{unnamed type");
	} else {
		return false;
	}
	read_ordinal(r, to);
	return true;
}

/* What is in no other: after N and ::, or St. */
static void read_unqualified(struct reading *r, struct text *to)
{
	pass_local(r);
	if (read_unnamed(r, to))
		return;
	if (isdigit((unsigned char)*r->at) || !read_operator(r, to))
		read_source_name(r, to);
}

/* C1, D2: named as the class is, whose name ends what was read so far. */
static bool read_structor(struct reading *r, struct text *name)
{
	char which = *r->at;
	size_t start = 0, end = 0;
	int depth = 0;

	if ((which != 'C' && which != 'D') || r->at[1] < '0' || r->at[1] > '3')
		return false;
	r->at += 2;
	for (size_t i = 0; i < name->n; i++) {
		depth += name->v[i] == '<';
		depth -= name->v[i] == '>';
		if (depth == 0 && name->v[i] == ':')
			start = i + 1;
		if (depth == 0 && name->v[i] == ':')
			end = 0;
		if (depth == 1 && name->v[i] == '<' && end == 0)
			end = i;
	}
	if (end <= start)
		end = name->n;
	if (start >= end || name->n + (end - start) + 4 > TEXT_MAX) {
		r->bad = true;
		return true;
	}
	puts_to(r, name, which == 'D' ? "::~" : "::");
	put(r, name, name->v + start, end - start);
	return true;
}

/* N ... E: each prefix may be referred to again, the whole is the type. */
static void read_nested(struct reading *r, struct text *to)
{
	struct text name = {0};
	bool first = true;

	take(r, "K");
	while (!r->bad && !take(r, "E")) {
		if (take(r, "I")) {
			read_arguments(r, &name);
			remember(r, &name);
			continue;
		}
		if (*r->at == 'S' && first) {
			if (take(r, "St"))
				puts_to(r, &name, "std");
			else if (!read_abbreviation(r, &name)) {
				r->at++;
				read_substitution(r, &name);
			}
			first = false;
			continue;
		}
		if (!first && read_structor(r, &name)) {
			remember(r, &name);
			continue;
		}
		if (!first)
			puts_to(r, &name, "::");
		first = false;
		read_unqualified(r, &name);
		remember(r, &name);
	}
	put(r, to, name.v, name.n);
}

/* A class: its name, and what it is a template of. */
static void read_class(struct reading *r, struct text *to)
{
	struct text name = {0};
	bool known = false;

	if (take(r, "N")) {
		read_nested(r, to);
		return;
	}
	if (take(r, "St")) {
		puts_to(r, &name, "std::");
		read_unqualified(r, &name);
	} else if (*r->at == 'S') {
		known = true;
		if (!read_abbreviation(r, &name)) {
			r->at++;
			read_substitution(r, &name);
		}
	} else {
		read_source_name(r, &name);
	}
	if (!known)
		remember(r, &name);
	if (take(r, "I")) {
		read_arguments(r, &name);
		remember(r, &name);
	}
	put(r, to, name.v, name.n);
}

/* Which of several of one name in one function. */
static void pass_discriminator(struct reading *r)
{
	bool many = take(r, "__");

	if (!many && !take(r, "_"))
		return;
	r->bad |= !isdigit((unsigned char)*r->at);
	do
		r->at++;
	while (many && isdigit((unsigned char)*r->at));
	if (many)
		r->bad |= !take(r, "_");
}

/* The function that something is in: its name stands for nothing later. Of a
 * template it would be told with what it gives back. */
static void read_around(struct reading *r, struct text *to)
{
	struct text name = {0};
	size_t before = r->subs;
	bool fixed = strncmp(r->at, "NK", 2) == 0;

	pass_local(r);
	if (fixed)
		r->at += 2;
	if (fixed)
		read_nested(r, &name);
	else
		read_class(r, &name);
	if (r->subs > before)
		r->subs--;
	r->bad |= name.n == 0 || name.v[name.n - 1] == '>';
	put(r, to, name.v, name.n);
	if (take(r, "E"))
		return; /* main, or a function of C */
	read_parameters(r, to);
	if (fixed)
		puts_to(r, to, " const");
}

/* Behind a Z: what is in a function. */
static void read_inner(struct reading *r, struct text *to)
{
	if (++r->depth > DEPTH_MAX)
		r->bad = true;
	if (!r->bad)
		read_around(r, to);
	puts_to(r, to, "::");
	if (!r->bad && strchr("sdN", *r->at ?: 's'))
		r->bad = true;
	if (!r->bad)
		read_unqualified(r, to);
	if (!r->bad)
		pass_discriminator(r);
	r->depth--;
}

static void read_type(struct reading *r, struct text *to)
{
	static const struct {
		const char *mangled, *text;
	} around[] = {{"P", "*"}, {"R", "&"}, {"O", "&&"}, {"K", " const"}};
	struct text inner = {0};

	if (++r->depth > DEPTH_MAX)
		r->bad = true;
	for (size_t i = 0; !r->bad && i < sizeof(around) / sizeof(*around); i++)
		if (take(r, around[i].mangled)) {
			read_type(r, &inner);
			puts_to(r, &inner, around[i].text);
			remember(r, &inner);
			put(r, to, inner.v, inner.n);
			r->depth--;
			return;
		}
	for (size_t i = 0; !r->bad && i < sizeof(builtins) / sizeof(*builtins);
	     i++)
		if (take(r, builtins[i].mangled)) {
			puts_to(r, to, builtins[i].text);
			r->depth--;
			return;
		}
	if (!r->bad && take(r, "Z")) {
		read_inner(r, &inner);
		remember(r, &inner);
		put(r, to, inner.v, inner.n);
	} else if (!r->bad && (isdigit((unsigned char)*r->at) ||
			       *r->at == 'N' || *r->at == 'S'))
		read_class(r, to);
	else
		r->bad = true;
	r->depth--;
}

const char *ht_demangle(const char *mangled, char *out, size_t size)
{
	struct reading r = {.at = mangled};
	struct text text = {0};
	bool table = take(&r, "_ZTV"), variable = !table && take(&r, "_Z");

	if (ht_demangle_rust(mangled, out, size))
		return out;
	if (table)
		puts_to(&r, &text, "vtable for ");
	if (variable)
		pass_local(&r);
	/* A plain word is a name of C; a number begins one of C++. */
	if (!isdigit((unsigned char)*r.at) && !strchr("NSZ", *r.at ?: 'x'))
		r.bad = true;
	if (!table && !variable && strchr("NSZ", *mangled ?: 'x') &&
	    !isdigit((unsigned char)mangled[1]) && mangled[1] != 't' &&
	    mangled[1] != 'S' && strncmp(mangled, "ZN", 2) != 0 &&
	    strncmp(mangled, "ZL", 2) != 0)
		r.bad = true;
	if (!r.bad)
		read_type(&r, &text);
	snprintf(out, size, "%s", r.bad || *r.at ? mangled : text.v);
	return out;
}

const char *ht_demangle_function(const char *symbol, char *out, size_t size)
{
	static const struct {
		const char *symbol, *text;
	} whole[] = {{"_Znwm", "operator new"},
		     {"_Znam", "operator new[]"},
		     {"_ZnwmSt11align_val_t", "operator new"},
		     {"_ZnamSt11align_val_t", "operator new[]"}};
	struct reading r = {.at = symbol};
	struct text text = {0};

	for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++)
		if (strcmp(symbol, whole[i].symbol) == 0) {
			snprintf(out, size, "%s", whole[i].text);
			return out;
		}
	if (ht_demangle_rust(symbol, out, size))
		return out;
	r.bad = !take(&r, "_Z");
	pass_local(&r);
	if (!isdigit((unsigned char)*r.at) && *r.at != 'N' &&
	    strncmp(r.at, "St", 2) != 0)
		r.bad = true;
	if (!r.bad)
		read_type(&r, &text);
	snprintf(out, size, "%s", r.bad ? symbol : text.v);
	return out;
}
