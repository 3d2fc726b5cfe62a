"""Device and server sides of the packages: time and payloads in, actions out."""
