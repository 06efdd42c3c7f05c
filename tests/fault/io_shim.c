/* Preloaded under a program to make its file operations fail, for tests of what it does then.
 *
 *   SAGEJIT_SHIM_PATH   only files below this directory are touched
 *   SAGEJIT_SHIM_FAIL   "openat=30,write=28": these calls fail with that errno. Names: openat
 *                       (to write or create), openat_read, read, write, fsync, linkat, renameat,
 *                       unlinkat, mkdirat, mkdir
 *   SAGEJIT_SHIM_KILL   "write": the process is killed (SIGKILL) when it makes this call, before
 *                       it has any effect; "write+": after half of its effect; "linkat+": after
 *                       the whole
 *   SAGEJIT_SHIM_LOG    a file that gets the name of each call that was touched
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) __typeof__(&name) real_##name = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* Whether a path, absolute or below an open directory, is one of those to touch. */
static int is_touched(int directory, const char* path) {
    const char* root = getenv("SAGEJIT_SHIM_PATH");
    if (root == NULL) return 0;
    char base[4096] = "", link[64];
    if (path == NULL || path[0] != '/') {
        if (directory == AT_FDCWD) return 0;
        snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
        const ssize_t length = readlink(link, base, sizeof base - 1);
        if (length < 0) return 0;
        base[length] = '\0';
    } else {
        snprintf(base, sizeof base, "%s", path);
    }
    return strncmp(base, root, strlen(root)) == 0;
}

static void note(const char* call) {
    const char* log = getenv("SAGEJIT_SHIM_LOG");
    if (log == NULL) return;
    REAL(open);
    const int file = real_open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) return;
    char line[64];
    const int length = snprintf(line, sizeof line, "%s\n", call);
    REAL(write);
    if (real_write(file, line, (size_t)length) < 0) abort();
    close(file);
}

/* The errno a call is to fail with; 0 for none. */
static int failure(const char* call) {
    const char* list = getenv("SAGEJIT_SHIM_FAIL");
    const size_t length = strlen(call);
    for (const char* item = list; item != NULL && *item != '\0';) {
        if (strncmp(item, call, length) == 0 && item[length] == '=') {
            return atoi(item + length + 1);
        }
        item = strchr(item, ',');
        if (item != NULL) ++item;
    }
    return 0;
}

static void die_here(const char* call, const char* when) {
    const char* wanted = getenv("SAGEJIT_SHIM_KILL");
    const size_t length = strlen(call);
    if (wanted == NULL || strncmp(wanted, call, length) != 0) return;
    if (strcmp(wanted + length, when) == 0) kill(getpid(), SIGKILL);
}

/* Notes the call; true where it is to fail, with errno set. */
static int touch(const char* call) {
    note(call);
    die_here(call, "");
    const int error = failure(call);
    if (error == 0) return 0;
    errno = error;
    return 1;
}

static int shimmed_open(int directory, const char* path, int flags, mode_t mode) {
    REAL(openat);
    if (is_touched(directory, path) && (flags & O_DIRECTORY) == 0) {
        const int writes = (flags & (O_CREAT | O_WRONLY | O_RDWR)) != 0;
        const char* call = writes ? "openat" : "openat_read";
        if (touch(call)) return -1;
        const int file = real_openat(directory, path, flags, mode);
        die_here(call, "+");
        return file;
    }
    return real_openat(directory, path, flags, mode);
}

int openat(int directory, const char* path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    return shimmed_open(directory, path, flags, mode);
}

int openat64(int directory, const char* path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    return shimmed_open(directory, path, flags, mode);
}

ssize_t write(int file, const void* bytes, size_t size) {
    REAL(write);
    if (!is_touched(file, NULL)) return real_write(file, bytes, size);
    if (touch("write")) return -1;
    const char* wanted = getenv("SAGEJIT_SHIM_KILL");
    const int half = wanted != NULL && strcmp(wanted, "write+") == 0;
    const ssize_t written = real_write(file, bytes, half ? size / 2 : size);
    die_here("write", "+");
    return written;
}

ssize_t read(int file, void* bytes, size_t size) {
    REAL(read);
    if (is_touched(file, NULL) && touch("read")) return -1;
    return real_read(file, bytes, size);
}

int fsync(int file) {
    REAL(fsync);
    if (!is_touched(file, NULL)) return real_fsync(file);
    if (touch("fsync")) return -1;
    const int result = real_fsync(file);
    die_here("fsync", "+");
    return result;
}

int linkat(int from, const char* source, int to, const char* target, int flags) {
    REAL(linkat);
    if (!is_touched(to, target)) return real_linkat(from, source, to, target, flags);
    if (touch("linkat")) return -1;
    const int result = real_linkat(from, source, to, target, flags);
    die_here("linkat", "+");
    return result;
}

int renameat(int from, const char* source, int to, const char* target) {
    REAL(renameat);
    if (is_touched(to, target) && touch("renameat")) return -1;
    return real_renameat(from, source, to, target);
}

int unlinkat(int directory, const char* path, int flags) {
    REAL(unlinkat);
    if (!is_touched(directory, path)) return real_unlinkat(directory, path, flags);
    if (touch("unlinkat")) return -1;
    const int result = real_unlinkat(directory, path, flags);
    die_here("unlinkat", "+");
    return result;
}

int mkdirat(int directory, const char* path, mode_t mode) {
    REAL(mkdirat);
    if (is_touched(directory, path) && touch("mkdirat")) return -1;
    const int result = real_mkdirat(directory, path, mode);
    if (is_touched(directory, path)) die_here("mkdirat", "+");
    return result;
}

int mkdir(const char* path, mode_t mode) {
    REAL(mkdir);
    if (is_touched(AT_FDCWD, path) && touch("mkdir")) return -1;
    return real_mkdir(path, mode);
}
