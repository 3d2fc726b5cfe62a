"""Ways to a subject: a program's standard input and output, TCP, a serial line, this process."""
