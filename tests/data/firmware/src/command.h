/* The console. */
#ifndef COMMAND_H
#define COMMAND_H

void command_poll(void);
void command_banner(void);

#endif
