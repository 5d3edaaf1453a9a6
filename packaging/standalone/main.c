/* The standalone program: CPython with its extension modules, linked statically, and an archive of Python modules behind it in
 * the same file. It needs no file but itself: no /proc, no /tmp, no locale, no shared library.
 */
#define _GNU_SOURCE
#include <Python.h>

#include <limits.h>
#include <nss.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "modules.h" /* made by build.py: the table `modules` of what is linked in besides what libpython.a has */

static void check(PyStatus status)
{
    if (PyStatus_Exception(status))
        Py_ExitStatusException(status);
}

/* The file of this program. By the kernel's own name for it, if there is one: it stays what was started when the file is replaced. */
static const char *own_file(const char *name)
{
    static char path[PATH_MAX];
    const char *link = "/proc/self/exe";
    if (access(link, R_OK) == 0)
        return link;
    const char *started = (const char *)getauxval(AT_EXECFN);
    return started != NULL && realpath(started, path) != NULL ? path : name;
}

int main(int argc, char **argv)
{
    const char *file = own_file(argv[0]);

    prctl(PR_SET_NAME, "livelog"); /* also where it was started by the kernel's name for it */

    /* Other services would be loaded from libraries of the system, which belong to another C library. */
    __nss_configure_lookup("hosts", "files dns");
    for (const char **base = (const char *[]){"passwd", "group", "shadow", "services", "protocols", NULL}; *base != NULL; base++)
        __nss_configure_lookup(*base, "files");

    PyPreConfig before;
    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1;
    check(Py_PreInitialize(&before));
    if (PyImport_ExtendInittab(modules) != 0)
        return 1;

    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    config.site_import = 0;
    config.write_bytecode = 0;
    config.install_signal_handlers = 1;
    config.module_search_paths_set = 1;
    check(PyConfig_SetBytesArgv(&config, argc, argv));
    check(PyConfig_SetBytesString(&config, &config.program_name, file));
    check(PyConfig_SetBytesString(&config, &config.executable, file));
    check(PyWideStringList_Append(&config.module_search_paths, config.executable));
    wchar_t **prefixes[] = {&config.prefix, &config.exec_prefix, &config.base_prefix, &config.base_exec_prefix};
    for (size_t each = 0; each < sizeof prefixes / sizeof *prefixes; each++)
        check(PyConfig_SetString(&config, prefixes[each], L""));
    check(PyConfig_SetString(&config, &config.run_command, L"import sys; sys.frozen = True; from livelog.cli import main; sys.exit(main())"));
    check(Py_InitializeFromConfig(&config));
    PyConfig_Clear(&config);
    return Py_RunMain();
}
