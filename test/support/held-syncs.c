// A disk that is slow: fdatasync ends only once the file $HELD_SYNCS is gone. Preloaded (LD_PRELOAD) into a process under test.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

int fdatasync(int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  const char *held = getenv("HELD_SYNCS");
  while (held != NULL && access(held, F_OK) == 0) usleep(10000);
  return real(fd);
}
