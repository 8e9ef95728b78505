#include "tasks/recall_facts.h"

#include <fmt/format.h>

#include <set>

#include "tasks/family.h"

namespace polyphon {
namespace {

// In wordings {0} is the person, {1} the value. Without values they are numbers up to `most`.
struct Relation {
  std::string name;
  std::vector<std::string> statements, questions, values;
  int least = 0, most = 0;
};

const std::vector<Relation>& training_relations() {
  static const std::vector<Relation> relations = {
      {"pet",
       {"{0} keeps a {1} in the back yard.", "A {1} sleeps at the foot of {0}'s bed.",
        "{0} has to feed the {1} twice a day."},
       {"Which animal does {0} own?", "What pet lives with {0}?",
        "What kind of creature is {0}'s?"},
       {"goat", "parrot", "hedgehog", "pony", "kitten", "turtle", "hamster", "rabbit", "duck",
        "ferret"}},
      {"home",
       {"{0} lives in {1} with two cousins.", "{0} moved to {1} last spring.",
        "{0}'s house stands in the north of {1}."},
       {"In which town can {0} be found?", "What is {0}'s home town?", "Where is {0} from?"},
       {"Lisbon", "Oslo", "Cairo", "Boston", "Vienna", "Lima", "Dublin", "Kyoto", "Prague",
        "Nairobi"}},
      {"job",
       {"{0} earns a living as a {1}.", "{0} has worked for years as a {1}.",
        "People call {0} when they need a {1}."},
       {"What is the profession of {0}?", "What does {0} do for money?", "What job has {0}?"},
       {"plumber", "lawyer", "tailor", "pilot", "nurse", "farmer", "butcher", "dentist", "singer",
        "welder"}},
      {"age",
       {"{0} turned {1} last week.", "There were {1} candles on {0}'s cake.",
        "{0} was born {1} years before this day."},
       {"How old is {0}?", "What is the age of {0}?", "How long has {0} been alive?"},
       {},
       18,
       95},
      {"car",
       {"{0} drives a {1} van.", "{0}'s old car is {1} all over.",
        "{0} has painted the family car {1}."},
       {"What colour is the vehicle of {0}?", "Of what colour is {0}'s automobile?",
        "In what colour does {0} ride?"},
       {"green", "red", "yellow", "purple", "orange", "silver", "black", "white", "pink", "brown"}},
      {"phone",
       {"{0} can be reached at extension {1}.", "Dial {1} to speak with {0}.",
        "{0} answers calls at {1}."},
       {"What is {0}'s telephone number?", "Which number does one ring for {0}?",
        "How can {0} be phoned?"},
       {},
       1000,
       9999},
      {"music",
       {"{0} plays the {1} every evening.", "{0} has bought another {1} and practises a lot.",
        "The neighbours hear {0} with the {1} at night."},
       {"What instrument does {0} master?", "On what does {0} make music?",
        "Which instrument is {0}'s?"},
       {"violin", "trumpet", "piano", "flute", "guitar", "cello", "harp", "drum", "banjo",
        "organ"}},
      {"food",
       {"{0} eats {1} for lunch on most days.", "{0} orders {1} in every restaurant.",
        "Nothing tastes better to {0} than {1}."},
       {"What is the favourite dish of {0}?", "What should one cook for {0}?",
        "Which meal does {0} like best?"},
       {"pizza", "soup", "rice", "pancakes", "curry", "salad", "noodles", "beans", "sushi",
        "lasagna"}},
      {"travel",
       {"{0} came to the wedding by {1}.", "A {1} brought {0} here yesterday.",
        "{0} took the {1} and arrived late."},
       {"How did {0} get here?", "What means of transport did {0} use?", "In what did {0} travel?"},
       {"train", "ferry", "bus", "taxi", "bicycle", "plane", "tram", "truck", "boat", "scooter"}},
      {"price",
       {"{0} paid {1} dollars at the counter.", "The tickets set {0} back {1} dollars.",
        "{0} had to spend {1} dollars on the seats."},
       {"How much money did {0} give?", "What did it cost {0}?", "What price did {0} accept?"},
       {},
       20,
       900},
      {"hiding place",
       {"{0} put the key under the {1}.", "{0}'s key lies behind the {1}.",
        "The key was left by {0} next to the {1}."},
       {"Where did {0} hide it?", "Where should one search for what {0} hid?",
        "At what spot is {0}'s secret?"},
       {"lamp", "carpet", "mirror", "stove", "sofa", "clock", "basket", "statue", "fridge",
        "desk"}},
      {"illness",
       {"{0} stayed in bed with a bad {1}.", "The doctor treated {0} for the {1}.",
        "{0} complained all day about the {1}."},
       {"What was wrong with {0}'s health?", "From what did {0} suffer?", "Why was {0} ill?"},
       {"cough", "fever", "toothache", "headache", "rash", "burn", "sprain", "cold", "cramp",
        "infection"}},
  };
  return relations;
}

const std::vector<Relation>& held_out_relations() {
  static const std::vector<Relation> relations = {
      {"language",
       {"{0} grew up speaking {1}.", "With the children {0} talks in {1}.",
        "{0} writes all letters in {1}."},
       {"What is {0}'s mother tongue?", "Which language does {0} know?"},
       {"Greek", "Polish", "Hindi", "Turkish", "Dutch", "Arabic", "Swedish", "Korean"}},
      {"sport",
       {"{0} trains for {1} twice a week.", "{0} won a medal in {1}.",
        "{0} never misses a match of {1}."},
       {"What sport does {0} love?", "At which game is {0} good?"},
       {"tennis", "hockey", "rugby", "chess", "golf", "judo", "soccer", "rowing"}},
      {"gift",
       {"{0} unwrapped a {1} on the birthday.", "Grandmother sent {0} a {1}.",
        "{0} thanked everyone for the {1}."},
       {"What present was given to {0}?", "What did {0} receive?"},
       {"scarf", "watch", "camera", "puzzle", "wallet", "tent", "kite", "globe"}},
      {"room",
       {"{0} sleeps in room {1} of the hotel.", "The porter carried {0}'s bags to room {1}.",
        "{0} has got the keys to room {1}."},
       {"Behind which door does {0} stay?", "What number is on {0}'s door?"},
       {},
       100,
       999},
      {"wood",
       {"{0} built the table out of {1}.", "{0}'s new bench is solid {1}.",
        "{0} sawed planks of {1} all morning."},
       {"What material did {0} choose?", "Which wood did {0} work with?"},
       {"oak", "pine", "maple", "cedar", "walnut", "birch", "cherry", "bamboo"}},
      {"time",
       {"{0} gets up at {1} minutes past six.", "{0}'s alarm rings {1} minutes past six.",
        "At {1} minutes past six {0} starts the day."},
       {"When does {0} wake?", "At what hour is {0} awake?"},
       {},
       1,
       59},
  };
  return relations;
}

// Of syllables.
std::string make_name(Random& random) {
  static const std::vector<std::string> first = {"Bel",  "Cor", "Dar", "Fen", "Gal", "Hol",
                                                 "Jor",  "Kel", "Lor", "Mar", "Nor", "Pel",
                                                 "Quin", "Ros", "Sel", "Tor", "Var", "Wil"};
  static const std::vector<std::string> middle = {"", "a", "i", "o", "an", "en", "il", "or", "am"};
  static const std::vector<std::string> last = {"da",  "bert", "dric", "la",  "mund", "na",
                                                "sin", "tha",  "vin",  "ric", "lo",   "mir",
                                                "ton", "gard", "fred", "ka"};
  std::string name = one_of(random, first);
  name += one_of(random, middle);
  name += one_of(random, last);
  return name;
}

std::string value_of(const Relation& relation, Random& random) {
  return relation.values.empty() ? std::to_string(between(random, relation.least, relation.most))
                                 : one_of(random, relation.values);
}

}  // namespace

std::vector<RecallFact> make_recall_facts(RelationSet set, int people, Random& random) {
  std::set<std::string> names;
  while (names.size() < static_cast<size_t>(people)) names.insert(make_name(random));
  std::vector<RecallFact> facts;
  for (const std::string& name : names) {
    for (const Relation& relation :
         set == RelationSet::kTraining ? training_relations() : held_out_relations()) {
      const std::string value = value_of(relation, random);
      const std::string& statement = one_of(random, relation.statements);
      const std::string& question = one_of(random, relation.questions);
      facts.push_back({relation.name, name, fmt::format(fmt::runtime(statement), name, value),
                       fmt::format(fmt::runtime(question), name), value});
    }
  }
  shuffle(random, facts);
  return facts;
}

std::string idle_sentence(const std::string& person, Random& random) {
  static const std::vector<std::string> sentences = {"{0} looked at the sky {1} times.",
                                                     "It took {0} {1} minutes to say that.",
                                                     "So {0} is quiet again.",
                                                     "Nobody knows what {0} was thinking.",
                                                     "{0} said hello to {1} strangers.",
                                                     "Perhaps {0} will come back later.",
                                                     "That is why {0} smiled.",
                                                     "The story about {0} is {1} pages long.",
                                                     "There is more to say about {0}.",
                                                     "{0} counted to {1} and sighed.",
                                                     "Let me think about {0} once more.",
                                                     "Then {0} walked on for {1} metres."};
  const std::string& sentence = one_of(random, sentences);
  return fmt::format(fmt::runtime(sentence), person, between(random, 2, 60));
}

}  // namespace polyphon
