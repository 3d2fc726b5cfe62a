/* Known answers for everything that can be wrong without a sensor or a network. */
#ifndef SELFTEST_H
#define SELFTEST_H

#include <stdbool.h>

bool selftest(void);

#endif
