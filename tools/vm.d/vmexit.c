// SPDX-License-Identifier: Apache-2.0
//
// vmexit CMD ARG...: the guest's process 1 once /init has set the system up. Runs CMD on the second
// serial port, reaps whatever is orphaned meanwhile, reports CMD's exit status to the host and
// stops the machine.
//
// The status goes out through an I/O port (QEMU's isa-debugcon) and the machine is stopped through
// another (isa-debug-exit): the output stream then carries the command's bytes and nothing else,
// and a guest that dies on the way leaves no status, which the host tells from an exit of CMD.
// Access to the ports is taken before CMD starts, so that a policy under test cannot take it away.
//
// As process 1 it also does what only that may do to some process, as a service manager would. It reads orders, a line
// each, from the FIFO /run/init, and what fails is said on the console:
//
//   signal PID NUMBER
//   write FILE TEXT
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { kStatusPort = 0xe9, kExitPort = 0xf4, kShellNotFound = 127 };

static void die(const char* what) {
  fprintf(stderr, "vmexit: %s: %s\n", what, strerror(errno));
  reboot(RB_POWER_OFF);
  _exit(1);
}

// A raw terminal passes every byte as it is; the baud rate only bounds how long tcdrain waits.
static int open_output(void) {
  int fd = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) die("/dev/ttyS1");
  struct termios raw;
  if (tcgetattr(fd, &raw) != 0) die("tcgetattr");
  cfmakeraw(&raw);
  raw.c_cflag |= CLOCAL;
  cfsetspeed(&raw, B115200);
  if (tcsetattr(fd, TCSANOW, &raw) != 0) die("tcsetattr");
  return fd;
}

static void run_command(char** argv, int output_fd) {
  int input_fd = open("/dev/null", O_RDONLY);
  if (input_fd < 0) die("/dev/null");
  if (ioperm(kStatusPort, 1, 0) != 0 || ioperm(kExitPort, 4, 0) != 0) die("ioperm");
  setsid();
  dup2(input_fd, STDIN_FILENO);
  dup2(output_fd, STDOUT_FILENO);
  dup2(output_fd, STDERR_FILENO);
  if (input_fd > STDERR_FILENO) close(input_fd);
  execv(argv[0], argv);
  fprintf(stderr, "vmexit: %s: %s\n", argv[0], strerror(errno));
  _exit(kShellNotFound);
}

static int wait_for(pid_t command) {
  for (;;) {
    int status = 0;
    pid_t child = wait(&status);
    if (child < 0 && errno != EINTR) die("wait");
    if (child != command) continue;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
}

static void tell_host(const char* line) {
  for (const char* c = line; *c != '\0'; c++) outb((unsigned char)*c, kStatusPort);
}

static void report(int code) {
  char line[32];
  snprintf(line, sizeof line, "status %d\n", code);
  tell_host(line);
}

static int write_text(const char* file, const char* text) {
  int fd = open(file, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t written = write(fd, text, strlen(text));
  close(fd);
  return written < 0 ? -1 : 0;
}

static void* obey(void* unused) {
  char line[512], file[256], text[128];
  int pid = 0, number = 0;
  FILE* orders = mkfifo("/run/init", 0600) == 0 ? fopen("/run/init", "r+e") : NULL;
  (void)unused;
  if (orders == NULL) die("/run/init");
  while (fgets(line, sizeof line, orders) != NULL) {
    int result = -1;
    errno = EINVAL;
    if (sscanf(line, "signal %d %d", &pid, &number) == 2 && pid > 0) result = kill(pid, number);
    if (sscanf(line, "write %255s %127[^\n]", file, text) == 2) result = write_text(file, text);
    if (result != 0) fprintf(stderr, "vmexit: %s: %s\n", line, strerror(errno));
  }
  return NULL;
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  int output_fd = open_output();
  if (ioperm(kStatusPort, 1, 1) != 0 || ioperm(kExitPort, 4, 1) != 0) die("ioperm");
  pthread_t orders;
  if (getpid() == 1 && pthread_create(&orders, NULL, obey, NULL) != 0) die("pthread_create");
  tell_host("begun\n");  // from here on a crash may be CMD's doing
  pid_t command = fork();
  if (command < 0) die("fork");
  if (command == 0) run_command(argv + 1, output_fd);
  int code = wait_for(command);
  tcdrain(output_fd);
  report(code);
  outl(0, kExitPort);
  die("isa-debug-exit did not stop the machine");
}
