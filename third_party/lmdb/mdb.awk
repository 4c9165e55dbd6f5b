# What LMDB's mdb.c (0.9.31) is changed in, as it is built.
#
# 0.9.26 to 0.9.31 destroy the robust mutexes in the lock file when the last user closes, and a
# process that opens at that moment gets EINVAL from then on. Upstream took it out again in 0.9.32.
/pthread_mutex_destroy\(env->me_txns->mti_[rw]mutex\);/ { dropped++; next }

# A search reads a page at five or six places, each known only when the one before has been read. In
# a database larger than the caches each of them waits for memory. So a search asks for most of a
# page when it comes to it: offsets of the nodes at its front, then the nodes from its end. What lies
# between is mostly free. To ask is no access, whatever lies there. See docs/adr/0024.
/^mdb_page_search_root\(MDB_cursor / { is_search = 1 }
/^}/ { is_search = 0 }
{ print }
is_get && /return rc;/ {
  print "\t\t{"
  print "\t\t\tconst char *page = (const char *)mp, *line = page + mc->mc_txn->mt_env->me_psize;"
  print "\t\t\tunsigned left;"
  print "\t\t\t__builtin_prefetch(page);"
  print "\t\t\t__builtin_prefetch(page + 64);"
  print "\t\t\tfor (left = 47; left > 0; left--) __builtin_prefetch(line -= 64);"
  print "\t\t}"
  added++
}
{ is_get = is_search && /mdb_page_get\(mc, NODEPGNO\(node\), &mp, NULL\)\) != 0\)$/ }
END {
  if (dropped == 2 && added == 1) exit 0
  print "mdb.awk: unexpected text of mdb.c" > "/dev/stderr"
  exit 1
}
