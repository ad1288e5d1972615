/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who wins when both sides have changed an object. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/service/conflict.h"

enum { READ = 1, FLAG = 2 };

static void the_backend_wins_only_where_both_differ(void **state)
{
	static const struct { struct conflict_sides sides; bool drops; } cases[] = {
		{{READ, 0, 0}, false},
		{{0, READ, 0}, false},
		{{READ, FLAG, 0}, false},              /* different things */
		{{READ, READ, READ}, false},           /* to the same value */
		{{READ, READ, 0}, true},
		{{READ | FLAG, READ, FLAG}, true},     /* the whole change goes */
		{{READ | FLAG, READ | FLAG, READ}, true},
		{{READ | FLAG, READ | FLAG, READ | FLAG}, false},
		{{UINT64_C(1) << 63, UINT64_C(1) << 63, 0}, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(conflict_drops_device(CONFLICT_BACKEND_WINS, &cases[i].sides), cases[i].drops);
}

static void the_device_wins_whatever_happened(void **state)
{
	(void)state;
	assert_false(conflict_drops_device(CONFLICT_DEVICE_WINS, &(struct conflict_sides){READ | FLAG, READ | FLAG, 0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_backend_wins_only_where_both_differ),
		cmocka_unit_test(the_device_wins_whatever_happened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
