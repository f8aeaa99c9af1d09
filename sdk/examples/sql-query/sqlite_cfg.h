/* How SQLite is built: for memory only, in one thread, with nothing that reaches out. */
#define SQLITE_OS_OTHER 1 /* no operating system but what os.c is */
#define SQLITE_THREADSAFE 0
#define SQLITE_MAX_WORKER_THREADS 0
#define SQLITE_TEMP_STORE 3 /* never a file */
#define SQLITE_MAX_MMAP_SIZE 0
#define SQLITE_MAX_ATTACHED 0
#define SQLITE_OMIT_WAL 1
#define SQLITE_OMIT_LOAD_EXTENSION 1
#define SQLITE_OMIT_SHARED_CACHE 1
#define SQLITE_OMIT_LOCALTIME 1
#define SQLITE_OMIT_INCRBLOB 1
#define SQLITE_OMIT_JSON 1
#define SQLITE_OMIT_UTF16 1
#define SQLITE_OMIT_TRACE 1
#define SQLITE_OMIT_DEPRECATED 1
#define SQLITE_UNTESTABLE 1
#define SQLITE_DEFAULT_MEMSTATUS 0
#define SQLITE_DQS 0 /* "name" is a name, and an unknown one an error, never a text */
#define SQLITE_ENABLE_MATH_FUNCTIONS 1
