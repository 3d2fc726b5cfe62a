/* The one switch between the two releases: build with -DAPP_MINOR=0 or -DAPP_MINOR=1. */
#ifndef VERSION_H
#define VERSION_H

#ifndef APP_MINOR
#error "build with -DAPP_MINOR=0 or -DAPP_MINOR=1"
#endif

#define APP_MAJOR 1
#define APP_PATCH 0

#if APP_MINOR >= 1
#define APP_VERSION "1.1.0"
#define DEFAULT_INTERVAL_S 900
#else
#define APP_VERSION "1.0.0"
#define DEFAULT_INTERVAL_S 600
#endif

#endif
