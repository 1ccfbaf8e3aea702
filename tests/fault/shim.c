/*
 * A disk that misbehaves on purpose, for one process.
 *
 * Loaded before the C library (LD_PRELOAD), it stands between a program and the calls that write and flush
 * files. Benchmarks use it to give two servers the same slow disk, tests to lose, tear and refuse writes. It
 * knows nothing of any program: what it does is said in environment variables, read once when it is loaded.
 * A program that makes its system calls without the C library is not reached.
 *
 *     cc -O2 -shared -fPIC -o shim.so tests/fault/shim.c -ldl -lpthread
 *     FAULT_FLUSH_DELAY_US=2000 LD_PRELOAD=./shim.so program
 *
 * FAULT_FLUSH_DELAY_US=N   every fsync and fdatasync takes N microseconds more. The wait comes after the real
 *                          flush and holds no lock: flushes of several threads overlap, as on a real disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long flush_delay_us;
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

static long number_from_environment(const char *name)
{
	const char *text = getenv(name);
	return text ? atol(text) : 0;
}

/* The real function of a name. dlsym's result is a function here, which ISO C cannot say in a cast. */
static void resolve(void *place, const char *name)
{
	*(void **)place = dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void prepare(void)
{
	resolve(&real_fsync, "fsync");
	resolve(&real_fdatasync, "fdatasync");
	flush_delay_us = number_from_environment("FAULT_FLUSH_DELAY_US");
}

static void delay(void)
{
	struct timespec rest = {flush_delay_us / 1000000, flush_delay_us % 1000000 * 1000};
	int before = errno;
	while (flush_delay_us > 0 && nanosleep(&rest, &rest) != 0 && errno == EINTR) {
	}
	errno = before;
}

int fsync(int fd)
{
	int result = real_fsync(fd);
	delay();
	return result;
}

int fdatasync(int fd)
{
	int result = real_fdatasync(fd);
	delay();
	return result;
}
