// A disk that fails when told to: the file $FAILING_DISK holds one letter for each call that will fail with EIO, `s` for
// fdatasync and `t` for ftruncate. Preloaded (LD_PRELOAD) into a process under test.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static int failing(char which) {
  const char *path = getenv("FAILING_DISK");
  int file = path == NULL ? -1 : open(path, O_RDWR);
  char letter = ' ';
  int found = 0;
  if (file < 0) return 0;
  for (off_t at = 0; !found && pread(file, &letter, 1, at) == 1; at++) {
    if (letter != which) continue;
    found = pwrite(file, " ", 1, at) == 1;
  }
  close(file);
  return found;
}

int fdatasync(int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  if (!failing('s')) return real(fd);
  errno = EIO;
  return -1;
}

int ftruncate(int fd, off_t length) {
  int (*real)(int, off_t) = (int (*)(int, off_t))dlsym(RTLD_NEXT, "ftruncate");
  if (!failing('t')) return real(fd, length);
  errno = EIO;
  return -1;
}

int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }
