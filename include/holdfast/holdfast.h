/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libholdfast: reads policies and events of holdfast, decides requests and explains decisions. It needs no
 * privilege and asks no kernel. holdfast.hpp has the same for C++.
 *
 * Strings are UTF-8 and end with a NUL byte. A function that takes `char **mistake` sets it, unless it is NULL,
 * to a text that says what is wrong and where, or to NULL if nothing is; free it with holdfast_free(). A policy
 * may be used by several threads at a time.
 */
#ifndef HOLDFAST_HOLDFAST_H
#define HOLDFAST_HOLDFAST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library: "0.1.0". */
const char* holdfast_version(void);

/* Frees a text that a function of this library returned. NULL is allowed. */
void holdfast_free(char* text);

/* ---- policies ---- */

typedef struct holdfast_policy holdfast_policy;

/*
 * Reads files, which together form one policy. Each is a file, not the name of a policy. NULL: a file cannot be
 * read, or there are mistakes; `mistake` then has all of them, as `holdfast check` prints them.
 */
holdfast_policy* holdfast_policy_load(const char* const* paths, size_t count, char** mistake);
/* Reads one text of `length` bytes. `name` is the name of the file in messages. */
holdfast_policy* holdfast_policy_parse(const char* name, const char* text, size_t length,
                                       char** mistake);
/* NULL is allowed. */
void holdfast_policy_free(holdfast_policy* policy);

size_t holdfast_policy_profile_count(const holdfast_policy* policy);
/* The name of a profile, in the order of the files. NULL: there is no such number. Valid as long as the policy. */
const char* holdfast_policy_profile(const holdfast_policy* policy, size_t number);
/* The profile that the tasks of a cgroup have, by its path: "/system.slice/web.service". NULL: they have none. */
const char* holdfast_policy_profile_of_cgroup(const holdfast_policy* policy, const char* cgroup);

/* ---- decisions ---- */

enum holdfast_verdict {
  HOLDFAST_ALLOW = 0,
  HOLDFAST_DENY = 1,
  HOLDFAST_LOCK = 2, /* allowed, and from then on the task is locked into the sandbox */
  HOLDFAST_LIMIT = 3 /* allowed at a limited rate */
};

/* The texts are valid as long as the policy. They are empty where there is nothing to say. */
typedef struct holdfast_decision {
  size_t size;         /* the size of this structure, set by the caller: HOLDFAST_DECISION_INIT */
  int verdict;         /* enum holdfast_verdict */
  int enforced;        /* 0: the profile is in audit, so a refusal is only reported */
  int error;           /* the errno that a refused call gets; 0: none */
  const char* reason;  /* "may not enter any namespace" */
  const char* profile; /* whose rule decided */
  const char* key;     /* of that rule: "namespaces.enter" */
  const char* value;   /* of that rule: "\"none\"" */
  const char* file;    /* where it is stated */
  uint32_t line;       /* 0: no line of the policy decided */
  uint32_t column;
} holdfast_decision;

#define HOLDFAST_DECISION_INIT \
  { sizeof(holdfast_decision), 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0 }

/*
 * Decides a request that is written as for `holdfast why`: "profile=web way=setns type=net target=host". 0: decided;
 * -1: the request is wrong, and `decision` is unchanged.
 */
int holdfast_decide(const holdfast_policy* policy, const char* request, holdfast_decision* decision,
                    char** mistake);

/* The explanation that `holdfast why` prints: the verdict, its rule, and the smallest change that would reverse it. */
char* holdfast_explain(const holdfast_policy* policy, const char* request, char** mistake);
/* The same as JSON (docs/json.md). */
char* holdfast_explain_json(const holdfast_policy* policy, const char* request, char** mistake);

/* ---- events ---- */

/* A recorded decision. Texts are valid until the function that received the event returns. */
typedef struct holdfast_event {
  size_t size; /* of this structure in the library that calls */
  uint64_t id;
  uint64_t time_ns; /* CLOCK_BOOTTIME */
  uint32_t pid;
  uint32_t tid;
  uint32_t uid;
  uint64_t decisions;    /* the number of equal decisions that the event stands for */
  const char* command;   /* the name of the task */
  const char* operation; /* "setns(net)" */
  const char* text;      /* the event as one line of text, without control characters */
  const char* json;      /* the line of the file */
  holdfast_decision decision;
} holdfast_event;

/* Returns 0 to go on. */
typedef int holdfast_event_function(const holdfast_event* event, void* context);

/*
 * Reads a file of `holdfast run --events` or of holdfastd, PATH.1 before it if that exists, in constant memory. 0: to
 * the end; -1: a file cannot be read, or a line is not an event; else what `each` returned. Lines that are no
 * decisions are left out.
 */
int holdfast_events_read(const char* path, holdfast_event_function* each, void* context,
                         char** mistake);

/* Decides a recorded event, a line of such a file, again under this policy. As holdfast_decide(). */
int holdfast_decide_event(const holdfast_policy* policy, const char* json,
                          holdfast_decision* decision, char** mistake);

#ifdef __cplusplus
}
#endif

#endif /* HOLDFAST_HOLDFAST_H */
