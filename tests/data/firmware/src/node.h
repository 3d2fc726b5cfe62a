/* The node's own work: sample, send, and heed what comes back. */
#ifndef NODE_H
#define NODE_H

#include <stdbool.h>

#include "payload.h"

extern struct sample node_sample;

/* Sample and send at once. */
bool node_report(void);

#endif
