// How far a long verb has come: a bar on a terminal, a line for each step elsewhere. To stderr.
#pragma once

#include <cstddef>
#include <string>

namespace sagejit::cli {

class Progress {
  public:
    Progress();
    // Takes the bar away.
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // `done` of `total` steps are over; text: what the last one was.
    void step(size_t done, size_t total, const std::string& text);
    // A message that stays, above the bar.
    void message(const std::string& text);

  private:
    void erase();

    bool is_terminal_;
    std::string bar_;  // what is on the terminal's last line
};

}  // namespace sagejit::cli
