// Facts about people who do not exist, each with a question that asks for it in other words: what
// memory's heads learn from and are measured by. The words that a question shares with its fact
// are mostly the person's name, which other facts have as well. Deterministic by seed.
#pragma once

#include <string>
#include <vector>

#include "base/random.h"

namespace polyphon {

struct RecallFact {
  std::string relation;   // "pet"
  std::string person;     // a made-up name
  std::string statement;  // one sentence with its point
  std::string question;   // with its mark
  std::string answer;     // a word or number of the statement
};

// Relations for training and others, whose words are in none of the first, to be measured with.
enum class RelationSet { kTraining, kHeldOut };

// Each of `people` people, whose names are made up anew, with every relation of the set; in random
// order. A number or a word may be the answer of two facts, a sentence is there once.
std::vector<RecallFact> make_recall_facts(RelationSet set, int people, Random& random);

// About a person of the facts, or about nobody, and worth nothing later: many hold numbers, or say
// "is" and "so", as facts do.
std::string idle_sentence(const std::string& person, Random& random);

}  // namespace polyphon
