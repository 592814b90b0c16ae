/*
 * Memory that a process needed only for a while.
 */
#ifndef IKED_PROCESS_MEMORY_H
#define IKED_PROCESS_MEMORY_H

/* Gives the pages back that hold nothing any more.  After a configuration was read much is free,
 * between what stays; the C library would keep it. */
void memory_give_back(void);

#endif
