// A file that nobody sees and that is gone with its last descriptor or mapping: for what memory should not hold.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

namespace duet::base {

// A descriptor, of the caller's; -1: errno says why.
inline int open_unnamed_file(const std::string& folder) {
  std::string path = folder + "/duet-spill-XXXXXX";
  const int fd = mkostemp(path.data(), O_CLOEXEC);
  if (fd >= 0) unlink(path.c_str());
  return fd;
}

}  // namespace duet::base
