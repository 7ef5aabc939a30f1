// SPDX-License-Identifier: Apache-2.0
/*
 * System calls from 32-bit code in a 64-bit process, by the fast instruction of the processor: sysenter (Intel) or syscall
 * (AMD). Both are a third way into the kernel beside the 64-bit syscall and int 0x80, with conventions of their own. The
 * kernel returns to where the 32-bit vdso would be, which this process has not: the fault there is caught.
 */
#ifndef HOLDFAST_TESTS_FAST32_H
#define HOLDFAST_TESTS_FAST32_H

#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ucontext.h>

static sigjmp_buf fast32_back;
static volatile long fast32_result;

static void fast32_fault(int number, siginfo_t* info, void* context) {
  (void)number, (void)info;
  fast32_result = (int)((ucontext_t*)context)->uc_mcontext.gregs[REG_RAX];
  siglongjmp(fast32_back, 1);
}

/*
 * A far jump to 32-bit code at `code`, with the stack at `stack`; eax, ebx, ecx, edx and ebp as
 * given. A far return would do, but for QEMU, which reads its stack as the kernel (SMAP).
 */
struct fast32_target {
  unsigned int code;
  unsigned short selector;
};
_Noreturn void fast32_enter(const struct fast32_target* target, unsigned long stack,
                            const unsigned int registers[5]);
__asm__(
    ".text\n"
    ".type fast32_enter, @function\n"
    "fast32_enter:\n"
    "  movl 0(%rdx), %eax\n"
    "  movl 4(%rdx), %ebx\n"
    "  movl 8(%rdx), %ecx\n"
    "  movl 16(%rdx), %ebp\n"
    "  movl 12(%rdx), %edx\n"
    "  movq %rsi, %rsp\n"
    "  ljmpl *(%rdi)\n"
    ".size fast32_enter, . - fast32_enter\n");

/* The result of a call with two arguments, or -ENOMEM. For one thread at a time. */
static inline long fast32(unsigned int number, unsigned int a, unsigned int b) {
  static char signal_stack[65536];
  const stack_t alternate = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
  struct sigaction action = {.sa_sigaction = fast32_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  unsigned int eax, ebx = 0, ecx, edx;
  char* low = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (low == MAP_FAILED) return -ENOMEM;
  __get_cpuid(0, &eax, &ebx, &ecx, &edx);
  const int intel = ebx == signature_INTEL_ebx;
  const unsigned int stack = (unsigned int)(unsigned long)low + 8000;
  memcpy(low, intel ? "\x0f\x34\xf4" : "\x0f\x05\xf4", 3);
  sigaltstack(&alternate, NULL);
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGILL, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  sigaction(SIGTRAP, &action, NULL);
  /* sysenter leaves the stack in ebp; syscall loses ecx, whose argument is then in ebp. */
  const unsigned int registers[5] = {number, a, b, 0, intel ? stack : b};
  const struct fast32_target target = {(unsigned int)(unsigned long)low, 0x23 /* __USER32_CS */};
  if (sigsetjmp(fast32_back, 1) == 0) fast32_enter(&target, stack, registers);
  munmap(low, 8192);
  return fast32_result;
}

#endif  // HOLDFAST_TESTS_FAST32_H
