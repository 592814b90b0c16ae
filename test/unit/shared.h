/*
 * Where the vectors, captures and other large test data lie: outside the repository, in
 * $IKED_SHARED or ../shared.  A test that needs one is skipped where it is absent.
 */
#ifndef TEST_UNIT_SHARED_H
#define TEST_UNIT_SHARED_H

/* The path of "vectors/ike-kdf.json" and the like, until the next call; skips the test when
 * there is no such file. */
const char *shared_file(const char *name);

#endif
