#include "app/think_view.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace polyphon {
namespace {

constexpr int kNarrowestColumn = 24;

bool starts_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

int columns_of(const std::string& text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), starts_character));
}

std::string cut(const std::string& text, int columns) {
  int used = 0;
  for (size_t i = 0; i < text.size(); ++i)
    if (starts_character(text[i]) && used++ == columns) return text.substr(0, i);
  return text;
}

// Exactly `columns` wide: cut or filled up.
std::string fit(const std::string& text, int columns) {
  std::string result = cut(text, columns);
  return result + std::string(static_cast<size_t>(columns - columns_of(result)), ' ');
}

// Broken between words, or within one that is longer than a line; without empty lines.
std::vector<std::string> wrap(const std::string& text, int columns) {
  std::vector<std::string> lines(1);
  int used = 0;
  for (char byte : text) {
    const unsigned char code = static_cast<unsigned char>(byte);
    if (byte == '\n' || (starts_character(byte) && used == columns)) {
      const size_t space =
          byte == '\n' || byte == ' ' ? std::string::npos : lines.back().rfind(' ');
      std::string carried;
      if (space != std::string::npos) {
        carried = lines.back().substr(space + 1);
        lines.back().resize(space);
      }
      if (!lines.back().empty()) lines.emplace_back();
      lines.back() = carried;
      used = columns_of(carried);
    }
    if (byte == '\n' || (byte == ' ' && used == 0)) continue;
    if (starts_character(byte)) ++used;
    lines.back() += code < 0x20 || code == 0x7F ? ' ' : byte;
  }
  return lines;
}

// Where it is too long, the strategy's name gives way to the figures.
std::string title(const StreamView& stream, int columns) {
  const std::string end = fmt::format(
      " · {}{}", stream.tokens, stream.finish_reason.empty() ? "" : " · " + stream.finish_reason);
  return cut(fmt::format("{} {}", stream.id, stream.strategy),
             std::max(1, columns - columns_of(end))) +
         end;
}

std::vector<std::string> box(const StreamView& stream, int columns, int height) {
  std::vector<std::string> lines{fit(title(stream, columns), columns)};
  const std::vector<std::string> text = wrap(stream.text, columns);
  const int shown = std::min(height - 1, static_cast<int>(text.size()));
  for (int i = 0; i < height - 1; ++i)
    lines.push_back(
        fit(i < shown ? text[text.size() - static_cast<size_t>(shown - i)] : "", columns));
  return lines;
}

}  // namespace

std::vector<std::string> layout_streams(const std::vector<StreamView>& streams, int width,
                                        int height) {
  std::vector<std::string> lines;
  const int count = static_cast<int>(streams.size());
  if (count == 0) return lines;
  const int across = std::clamp((width + 3) / (kNarrowestColumn + 3), 1, count);
  const int down = (count + across - 1) / across;
  const int columns = std::max(1, (width + 3) / across - 3);
  const int box_height = std::max(2, height / down - 1);
  for (int row = 0; row < down; ++row) {
    std::vector<std::string> band(static_cast<size_t>(box_height));
    for (int i = row * across; i < std::min(count, (row + 1) * across); ++i) {
      const std::vector<std::string> cell =
          box(streams[static_cast<size_t>(i)], columns, box_height);
      for (size_t line = 0; line < band.size(); ++line)
        band[line] += (band[line].empty() ? "" : " │ ") + cell[line];
    }
    lines.insert(lines.end(), band.begin(), band.end());
    if (row + 1 < down) lines.emplace_back();
  }
  if (static_cast<int>(lines.size()) > height) lines.resize(static_cast<size_t>(height));
  return lines;
}

ThinkScreen::ThinkScreen() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    width_ = size.ws_col;
    height_ = size.ws_row;
  }
}

void ThinkScreen::draw(const std::vector<StreamView>& streams) {
  std::string out;
  if (drawn_lines_ > 0) out += fmt::format("\033[{}A", drawn_lines_);
  const auto lines = layout_streams(streams, width_, std::max(6, height_ - 8));
  for (const std::string& line : lines) out += "\r\033[K" + line + "\n";
  drawn_lines_ = static_cast<int>(lines.size());
  std::fputs(out.c_str(), stderr);
}

void ThinkScreen::erase() {
  if (drawn_lines_ > 0) std::fprintf(stderr, "\033[%dA\r\033[J", drawn_lines_);
  drawn_lines_ = 0;
}

void ThinkScreen::leave() { drawn_lines_ = 0; }

}  // namespace polyphon
