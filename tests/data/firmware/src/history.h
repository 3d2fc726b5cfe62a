/* The last samples, packed; new in 1.1.0. */
#ifndef HISTORY_H
#define HISTORY_H

#include "payload.h"

void history_add(const struct sample *sample);
void history_show(unsigned channel, unsigned last);

#endif
