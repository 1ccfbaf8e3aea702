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
 * Slow flushes, for every file:
 *   FAULT_FLUSH_DELAY_US=N   every fsync and fdatasync takes N microseconds more. The wait comes after the real
 *                            flush and holds no lock: flushes of several threads overlap, as on a real disk.
 *
 * Everything else concerns the files whose path begins with FAULT_DIR and, if set, contains FAULT_MATCH.
 *
 * Held flushes:
 *   FAULT_FLUSH_HOLD=FILE    while FILE exists, flushes do not begin. A test makes and removes it.
 *
 * Errors:
 *   FAULT_ERROR=ENOSPC|EIO   what goes wrong;
 *   FAULT_ERROR_ON=write|flush  at which calls;
 *   FAULT_ERROR_AFTER=N      how many bytes are written, or flushes made, before it does (0: from the start);
 *   FAULT_ERROR_WHILE=FILE   only while FILE exists; N counts from then on.
 *
 * A crash that loses what was not flushed, as a power failure does:
 *   FAULT_CRASH_EVENTS=N     the process kills itself at one of its first N writes, truncations and flushes;
 *   FAULT_CRASH_SEED=S       decides at which, and what is lost.
 * Until a file's next flush each write to it is remembered with what it replaced. At the crash all those are
 * undone, newest first, and a random part of them is made again, oldest first: whole, or only some of their
 * 512-byte sectors. So of each sector any version may survive that could have been on its way to the disk.
 * A write that was made before a flush began is safe when that flush has returned, not earlier.
 *
 * What it leaves out: names (creation, renaming and removal of files are taken to be on disk at once), files
 * opened for writing only, mapped memory, and other ways to write than those below.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define SECTOR 512
#define PATH_MAX_HERE 4096
/* How long all threads of a process are given to stand still after SIGSTOP. */
#define STANDSTILL_US 2000

/* A write or truncation that may not be on disk. Kept in a list, newest first. */
struct change {
	struct change *older, *newer;
	dev_t device;
	ino_t inode;
	char *path;
	off_t offset;   /* of the bytes replaced and written */
	off_t size;     /* of the file before */
	off_t size_now; /* for a truncation: of the file after; -1 for a write */
	size_t replaced_length, written_length;
	char *replaced, *written;
	unsigned long number;
};

static int (*real_fsync)(int), (*real_fdatasync)(int), (*real_ftruncate)(int, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);

static long flush_delay_us, error_after, crash_event;
static const char *directory, *match, *hold_file, *error_while;
static int error_number, error_on_write, error_on_flush, losing;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct change *newest, *oldest;
static unsigned long change_number, events;
static long error_count;
static uint64_t random_state;

/* The real function of a name. dlsym's result is a function here, which ISO C cannot say in a cast. */
static void resolve(void *place, const char *name)
{
	*(void **)place = dlsym(RTLD_NEXT, name);
}

static long number_from_environment(const char *name)
{
	const char *text = getenv(name);
	return text ? atol(text) : 0;
}

static uint64_t draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545F4914F6CDD1DULL >> 16;
}

__attribute__((constructor)) static void prepare(void)
{
	const char *error = getenv("FAULT_ERROR"), *on = getenv("FAULT_ERROR_ON");
	resolve(&real_fsync, "fsync");
	resolve(&real_fdatasync, "fdatasync");
	resolve(&real_ftruncate, "ftruncate");
	resolve(&real_write, "write");
	resolve(&real_pwrite, "pwrite");
	flush_delay_us = number_from_environment("FAULT_FLUSH_DELAY_US");
	directory = getenv("FAULT_DIR");
	match = getenv("FAULT_MATCH");
	hold_file = getenv("FAULT_FLUSH_HOLD");
	error_after = number_from_environment("FAULT_ERROR_AFTER");
	error_while = getenv("FAULT_ERROR_WHILE");
	if (error)
		error_number = strcmp(error, "ENOSPC") == 0 ? ENOSPC : EIO;
	error_on_write = error && on && strcmp(on, "write") == 0;
	error_on_flush = error && on && strcmp(on, "flush") == 0;
	if (number_from_environment("FAULT_CRASH_EVENTS") > 0) {
		losing = 1;
		random_state = 0x9E3779B97F4A7C15ULL + (uint64_t)number_from_environment("FAULT_CRASH_SEED");
		for (int i = 0; i < 16; i++)
			draw();
		crash_event = 1 + (long)(draw() % (uint64_t)number_from_environment("FAULT_CRASH_EVENTS"));
	}
}

/* Whether a descriptor's file is one of those concerned; its path. */
static int is_concerned(int fd, char *path)
{
	char link[64];
	if (!directory)
		return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, PATH_MAX_HERE - 1);
	if (length <= 0)
		return 0;
	path[length] = 0;
	return strncmp(path, directory, strlen(directory)) == 0 && (!match || strstr(path, match));
}

static int exists(const char *file)
{
	return access(file, F_OK) == 0;
}

/* Whether a call of so much must fail now. Under the lock. */
static int fails_now(long amount)
{
	if (error_while && !exists(error_while)) {
		error_count = 0;
		return 0;
	}
	error_count += amount;
	return error_count > error_after;
}

static void *remembered(const void *bytes, size_t length)
{
	void *copy = malloc(length ? length : 1);
	if (copy && bytes)
		memcpy(copy, bytes, length);
	return copy;
}

/* Remembers what a write is going to replace. Under the lock. The change is in the list when it returns. */
static void remember(int fd, const char *path, const void *bytes, size_t length, off_t offset, off_t size_now)
{
	struct stat status;
	if (fstat(fd, &status) != 0)
		return;
	struct change *change = calloc(1, sizeof *change);
	char *replaced = malloc(length ? length : 1);
	ssize_t had = pread(fd, replaced, length, offset);
	if (!change || !replaced || had < 0) {
		free(change);
		free(replaced);
		return;
	}
	change->device = status.st_dev;
	change->inode = status.st_ino;
	change->path = strdup(path);
	change->offset = offset;
	change->size = status.st_size;
	change->size_now = size_now;
	change->replaced = replaced;
	change->replaced_length = (size_t)had;
	change->written = remembered(bytes, bytes ? length : 0);
	change->written_length = bytes ? length : 0;
	change->number = ++change_number;
	change->older = newest;
	if (newest)
		newest->newer = change;
	else
		oldest = change;
	newest = change;
}

/* A flush of a file has returned that began after the change of this number: forgets what is safe. */
static void forget(int fd, unsigned long number)
{
	struct stat status;
	if (fstat(fd, &status) != 0)
		return;
	for (struct change *change = newest, *older; change; change = older) {
		older = change->older;
		if (change->device != status.st_dev || change->inode != status.st_ino || change->number > number)
			continue;
		*(change->newer ? &change->newer->older : &newest) = change->older;
		*(change->older ? &change->older->newer : &oldest) = change->newer;
		free(change->path);
		free(change->replaced);
		free(change->written);
		free(change);
	}
}

static void put(int fd, const char *bytes, size_t length, off_t offset)
{
	while (length > 0) {
		ssize_t done = real_pwrite(fd, bytes, length, offset);
		if (done <= 0)
			return;
		bytes += done;
		length -= (size_t)done;
		offset += done;
	}
}

/* The file of a change, if it is still the one of that name. */
static int reopen(const struct change *change)
{
	struct stat status;
	int fd = open(change->path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &status) != 0 || status.st_ino != change->inode)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void undo(const struct change *change)
{
	int fd = reopen(change);
	if (fd < 0)
		return;
	put(fd, change->replaced, change->replaced_length, change->offset);
	if (real_ftruncate(fd, change->size) != 0)
		perror("fault: undo");
	close(fd);
}

static void make_again(const struct change *change, int torn)
{
	int fd = reopen(change);
	if (fd < 0)
		return;
	if (change->size_now >= 0) {
		if (real_ftruncate(fd, change->size_now) != 0)
			perror("fault: truncation");
	} else if (!torn) {
		put(fd, change->written, change->written_length, change->offset);
	} else {
		off_t from = change->offset, end = change->offset + (off_t)change->written_length;
		while (from < end) {
			off_t to = (from / SECTOR + 1) * SECTOR;
			to = to < end ? to : end;
			if (draw() % 2)
				put(fd, change->written + (from - change->offset), (size_t)(to - from), from);
			from = to;
		}
	}
	close(fd);
}

static void rest(long microseconds)
{
	struct timespec left = {microseconds / 1000000, microseconds % 1000000 * 1000};
	while (nanosleep(&left, &left) != 0 && errno == EINTR) {
	}
}

/*
 * The power fails. The process stands still while its files are undone, or its other threads would read them half
 * undone and tell somebody; so a child does it. Under the lock, which is never given back: nobody changes a file
 * before the process stands still.
 */
static void crash(void)
{
	pid_t failing = getpid(), child = fork();
	if (child < 0)
		_exit(1);
	while (child > 0)
		pause();
	/* Locks of files that are kept by descriptors end with the failing process alone. */
	close_range(3, ~0U, 0);
	kill(failing, SIGSTOP);
	rest(STANDSTILL_US);
	unsigned long kept = 0, torn = 0, lost = 0;
	/* How many in eight survive whole: from a disk that was idle to one that was far behind. */
	uint64_t survivors = draw() % 9;
	for (struct change *change = newest; change; change = change->older)
		undo(change);
	for (struct change *change = oldest; change; change = change->newer) {
		if (draw() % 8 < survivors) {
			make_again(change, 0);
			kept++;
		} else if (draw() % 2) {
			make_again(change, 1);
			torn++;
		} else {
			lost++;
		}
	}
	char text[160];
	int length = snprintf(text, sizeof text, "fault: crash at event %lu: %lu unflushed writes kept, %lu torn, %lu lost\n",
			      events, kept, torn, lost);
	if (real_write(2, text, (size_t)length) < 0)
		_exit(1);
	kill(failing, SIGKILL);
	_exit(0);
}

/* Counts a write, truncation or flush. Under the lock. */
static void count_event(void)
{
	if (losing && (long)++events >= crash_event)
		crash();
}

/* Before a write: whether it must fail. Takes the lock if the file is concerned. */
static int begin_write(int fd, char *path, long amount, int *concerned)
{
	*concerned = (losing || error_on_write) && is_concerned(fd, path);
	if (!*concerned)
		return 0;
	pthread_mutex_lock(&lock);
	count_event();
	if (error_on_write && fails_now(amount)) {
		pthread_mutex_unlock(&lock);
		errno = error_number;
		return 1;
	}
	return 0;
}

static ssize_t end_write(ssize_t result, int concerned)
{
	int error = errno;
	if (concerned)
		pthread_mutex_unlock(&lock);
	errno = error;
	return result;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
	char path[PATH_MAX_HERE];
	int concerned;
	if (begin_write(fd, path, (long)length, &concerned))
		return -1;
	if (concerned && losing)
		remember(fd, path, bytes, length, offset, -1);
	return end_write(real_pwrite(fd, bytes, length, offset), concerned);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset)
{
	return pwrite(fd, bytes, length, offset);
}

ssize_t write(int fd, const void *bytes, size_t length)
{
	char path[PATH_MAX_HERE];
	int concerned;
	if (begin_write(fd, path, (long)length, &concerned))
		return -1;
	if (concerned && losing)
		remember(fd, path, bytes, length, lseek(fd, 0, SEEK_CUR), -1);
	return end_write(real_write(fd, bytes, length), concerned);
}

int ftruncate(int fd, off_t size)
{
	char path[PATH_MAX_HERE];
	int concerned;
	if (begin_write(fd, path, 0, &concerned))
		return -1;
	struct stat status;
	if (concerned && losing && fstat(fd, &status) == 0) {
		off_t cut = status.st_size > size ? status.st_size - size : 0;
		remember(fd, path, NULL, (size_t)cut, size, size);
	}
	return (int)end_write(real_ftruncate(fd, size), concerned);
}

int ftruncate64(int fd, off_t size)
{
	return ftruncate(fd, size);
}

static int flush(int fd, int (*real)(int))
{
	char path[PATH_MAX_HERE];
	unsigned long number = 0;
	int concerned = (losing || error_on_flush || hold_file) && is_concerned(fd, path);
	if (concerned) {
		while (hold_file && exists(hold_file))
			rest(500);
		pthread_mutex_lock(&lock);
		count_event();
		int fails = error_on_flush && fails_now(1);
		number = change_number;
		pthread_mutex_unlock(&lock);
		if (fails) {
			errno = error_number;
			return -1;
		}
	}
	int result = real(fd), error = errno;
	if (concerned && losing && result == 0) {
		pthread_mutex_lock(&lock);
		forget(fd, number);
		pthread_mutex_unlock(&lock);
	}
	if (flush_delay_us > 0)
		rest(flush_delay_us);
	errno = error;
	return result;
}

int fsync(int fd)
{
	return flush(fd, real_fsync);
}

int fdatasync(int fd)
{
	return flush(fd, real_fdatasync);
}
