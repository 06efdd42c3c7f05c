/* The library is there for its kernels. */
int part(void);
int part(void) { return 0; }
